// In: addresses and CIDRs, however they are written. Out: the set of addresses they stand for, as ranges that neither
// overlap nor touch, and what of one set is not in another. Pure.
import { type Cidr, formatCidr, parseCidr } from "./address.ts";

export interface AddressRange {
  readonly family: 4 | 6;
  readonly from: bigint;
  /** Inclusive. */
  readonly to: bigint;
}

const sizeOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);

function rangeOf({ family, network, bits }: Cidr): AddressRange {
  return {
    family,
    from: network,
    to: network + (1n << BigInt(sizeOf(family) - bits)) - 1n,
  };
}

/** What is no address is nobody's. */
export function addressRanges(texts: readonly string[]): AddressRange[] {
  const ranges = texts
    .flatMap((text) => parseCidr(text) ?? [])
    .map(rangeOf)
    .sort((a, b) => a.family - b.family || (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const joined: AddressRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    const isApart = last === undefined || last.family !== range.family || range.from > last.to + 1n;
    if (isApart) joined.push(range);
    else if (range.to > last.to) joined[joined.length - 1] = { ...last, to: range.to };
  }
  return joined;
}

export function without(ranges: readonly AddressRange[], taken: readonly AddressRange[]): AddressRange[] {
  return ranges.flatMap((range) => {
    const left: AddressRange[] = [];
    let { from } = range;
    for (const { family, from: start, to: end } of taken) {
      if (family !== range.family || end < from || start > range.to) continue;
      if (start > from) left.push({ ...range, from, to: start - 1n });
      from = end + 1n;
    }
    if (from <= range.to) left.push({ ...range, from });
    return left;
  });
}

export function holds(ranges: readonly AddressRange[], address: string): boolean {
  const cidr = parseCidr(address);
  if (cidr === undefined) return false;
  const { family, from, to } = rangeOf(cidr);
  return ranges.some((range) => range.family === family && range.from <= from && to <= range.to);
}

/** In order, the fewest that make it up. */
export function cidrsOf({ family, from, to }: AddressRange): Cidr[] {
  const size = sizeOf(family);
  const cidrs: Cidr[] = [];
  let network = from;
  while (network <= to) {
    let hostBits = 0;
    while (hostBits < size) {
      const count = 1n << BigInt(hostBits + 1);
      if (network % count !== 0n || network + count - 1n > to) break;
      hostBits += 1;
    }
    cidrs.push({ family, network, bits: size - hostBits });
    network += 1n << BigInt(hostBits);
  }
  return cidrs;
}

/** As a CIDR where it is one, else as first and last address. */
export function formatAddressRange(range: AddressRange): string {
  const [first, ...more] = cidrsOf(range);
  if (first !== undefined && more.length === 0) return formatCidr(first);
  const { family, from, to } = range;
  const single = (network: bigint): string => formatCidr({ family, network, bits: sizeOf(family) });
  return `${single(from)}-${single(to)}`;
}
