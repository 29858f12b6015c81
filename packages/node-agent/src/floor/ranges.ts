// In: what a rule names and what the floor names. Out: what lies within it. Pure.
import { cidrContains, formatCidr, parseCidr } from "@weft/shared/model/address";
import type { PortRange } from "@weft/shared/model/desired";
import { portText } from "@weft/shared/render/nftables-set";

/** The parts of an address or block that lie within some ranges: itself, smaller blocks, or nothing. */
export function partsWithin(text: string, ranges: readonly string[]): string[] {
  const block = parseCidr(text);
  if (block === undefined) return [];
  const parts = new Set<string>();
  for (const range of ranges) {
    const bound = parseCidr(range);
    if (bound === undefined) continue;
    if (cidrContains(bound, block)) return [text];
    if (cidrContains(block, bound)) parts.add(formatCidr(bound));
  }
  return [...parts];
}

export function isWithinRanges(text: string, ranges: readonly string[]): boolean {
  return partsWithin(text, ranges).includes(text);
}

export function portsOverlap(a: PortRange, b: PortRange): boolean {
  return a.protocol === b.protocol && a.from <= b.to && b.from <= a.to;
}

export function isWithinPorts(port: PortRange, ports: readonly PortRange[]): boolean {
  return ports.some(
    ({ protocol, from, to }) => protocol === port.protocol && from <= port.from && port.to <= to,
  );
}

export function portName(port: PortRange): string {
  return `${portText(port)}/${port.protocol}`;
}
