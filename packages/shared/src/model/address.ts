// In: text. Out: IP addresses and CIDR blocks in one spelling, with containment and a stable order. Pure: no sockets.
import { WeftError } from "../errors/weft-error.ts";

export interface Cidr {
  readonly family: 4 | 6;
  /** Network address as a number; host bits are zero. */
  readonly network: bigint;
  readonly bits: number;
}

const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

function parseV4(text: string): bigint | undefined {
  const match = v4.exec(text);
  if (match === null) return undefined;
  let value = 0n;
  for (const part of match.slice(1)) {
    // "010" is octal to some readers and decimal to others: refused
    if (part.length > 1 && part.startsWith("0")) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  if (!/^[0-9a-fA-F:.]+$/.test(text) || text.includes(":::")) return undefined;
  let source = text;
  const tail = /:(\d+\.\d+\.\d+\.\d+)$/.exec(source);
  if (tail?.[1] !== undefined) {
    const low = parseV4(tail[1]);
    if (low === undefined) return undefined;
    source = `${source.slice(0, -tail[1].length)}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const halves = source.split("::");
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string): string[] => (half === "" ? [] : half.split(":"));
  const head = groupsOf(halves[0] ?? "");
  const rest = halves.length === 2 ? groupsOf(halves[1] ?? "") : [];
  const missing = 8 - head.length - rest.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(missing).fill("0"), ...rest];
  let value = 0n;
  for (const group of groups) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = (value << 16n) | BigInt(`0x${group}`);
  }
  return value;
}

function formatV6(value: bigint): string {
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((value >> shift) & 0xffffn).toString(16));
  // RFC 5952: the longest run of two or more zero groups becomes "::", the first one on a tie
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === "0") length++;
    if (length > best.length) best = { start: i, length };
  }
  if (best.start < 0) return groups.join(":");
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}

/** "10.0.0.1", "10.0.0.0/8", "fd77::/64"; host bits must be zero. Undefined when it is none of these. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const four = parseV4(host);
  const value = four ?? parseV6(host);
  if (value === undefined) return undefined;
  const family = four === undefined ? 6 : 4;
  const size = family === 4 ? 32 : 128;
  let bits = size;
  if (slash >= 0) {
    const tail = text.slice(slash + 1);
    if (!/^(0|[1-9]\d{0,2})$/.test(tail)) return undefined;
    bits = Number(tail);
    if (bits > size) return undefined;
  }
  const hostBits = BigInt(size - bits);
  if ((value >> hostBits) << hostBits !== value) return undefined;
  return { family, network: value, bits };
}

/** A single address in its one spelling (RFC 5952 for IPv6), or undefined. */
export function normaliseAddress(text: string): string | undefined {
  if (text.includes("/")) return undefined;
  const cidr = parseCidr(text);
  return cidr === undefined ? undefined : formatCidr(cidr);
}

export function parseAddress(text: string): string {
  const address = normaliseAddress(text);
  if (address === undefined)
    throw new WeftError("WEFT-E003", `"${text}" is no IP address`, {
      hint: "write it like 10.0.0.5 or fd00::5",
    });
  return address;
}

export function formatCidr(cidr: Cidr): string {
  const host =
    cidr.family === 6
      ? formatV6(cidr.network)
      : [24n, 16n, 8n, 0n].map((shift) => ((cidr.network >> shift) & 0xffn).toString()).join(".");
  return cidr.bits === (cidr.family === 4 ? 32 : 128) ? host : `${host}/${cidr.bits}`;
}

export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.bits > inner.bits) return false;
  const shift = BigInt((outer.family === 4 ? 32 : 128) - outer.bits);
  return outer.network >> shift === inner.network >> shift;
}

/** False of what is no range or no address. @param address or a range, all of it */
export function covers(range: string, address: string): boolean {
  const outer = parseCidr(range);
  const inner = parseCidr(address);
  return outer !== undefined && inner !== undefined && cidrContains(outer, inner);
}

/** False where one of them is no range and no address. */
export function cidrsOverlap(a: string, b: string): boolean {
  return covers(a, b) || covers(b, a);
}

export function compareCidrs(a: Cidr, b: Cidr): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.network !== b.network) return a.network < b.network ? -1 : 1;
  return a.bits - b.bits;
}

export function familyOf(addressOrCidr: string): 4 | 6 {
  return addressOrCidr.includes(":") ? 6 : 4;
}
