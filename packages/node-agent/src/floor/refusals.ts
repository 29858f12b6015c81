// In: what was refused, as it is found. Out: the list for the report: each once, in one order, bounded. Pure.
import type { Origin } from "@weft/shared/model/desired";
import { type FloorRefusal, longestRefusal, mostFloorRefusals } from "@weft/shared/model/floor";

/** The line of a bound that stands in no file. */
export const builtIn = 0;

export class Refusals {
  readonly #found = new Map<string, FloorRefusal>();

  add(line: number, what: string, origin?: Origin): void {
    const refusal: FloorRefusal = {
      line,
      policy: cut(origin?.policy ?? ""),
      file: cut(origin?.file ?? ""),
      ruleLine: origin?.line ?? 0,
      what: cut(what),
    };
    this.#found.set(JSON.stringify(refusal), refusal);
  }

  list(): { readonly refusals: readonly FloorRefusal[]; readonly leftOut: number } {
    const sorted = [...this.#found]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([, refusal]) => refusal);
    sorted.sort((a, b) => a.line - b.line);
    const refusals = sorted.slice(0, mostFloorRefusals);
    return { refusals, leftOut: sorted.length - refusals.length };
  }
}

/** A coordinator chooses the names: they are cut before they travel back or into a log. */
function cut(text: string): string {
  return text.length <= longestRefusal ? text : `${text.slice(0, longestRefusal - 2)}..`;
}
