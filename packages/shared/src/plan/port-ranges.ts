// In: ranges of ports. Out: the fewest that say the same, and what of some is not in others. Pure.
import type { PortRange } from "../model/desired.ts";
import { byText } from "./text-order.ts";

export function joinRanges(ranges: readonly PortRange[]): PortRange[] {
  const sorted = [...ranges].sort((a, b) => byText(a.protocol, b.protocol) || a.from - b.from);
  const joined: PortRange[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last === undefined || last.protocol !== range.protocol || range.from > last.to + 1)
      joined.push(range);
    else if (range.to > last.to) joined[joined.length - 1] = { ...last, to: range.to };
  }
  return joined;
}

/** @param taken undefined: every port */
export function withoutRanges(
  ranges: readonly PortRange[],
  taken: readonly PortRange[] | undefined,
): PortRange[] {
  if (taken === undefined) return [];
  return ranges.flatMap((range) => {
    const left: PortRange[] = [];
    let { from } = range;
    for (const { protocol, from: start, to: end } of joinRanges(taken)) {
      if (protocol !== range.protocol || end < from || start > range.to) continue;
      if (start > from) left.push({ ...range, from, to: start - 1 });
      from = end + 1;
    }
    if (from <= range.to) left.push({ ...range, from });
    return left;
  });
}
