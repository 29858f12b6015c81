// In: what `cilium-dbg bpf policy get ID -o json` prints, and one connection. Out: what the endpoint's policy map says of it.
// Pure. Judged as the datapath does it (bpf/lib/policy.h): the longest entry of the peer's identity and the longest of any identity
// are looked up, and without one and the other nothing passes. In 1.18 (1.18.10) a deny of either refuses; in 1.19 (its branch
// point) entries have a precedence, and the higher one decides.
import { asList } from "@weft/shared/kernel-verdict/json";
import type { Traffic } from "@weft/shared/model/desired";
import { countOf, jsonOf, objectOf, optional, wrong } from "./parse-fields.ts";

export interface PolicyEntry {
  readonly direction: "ingress" | "egress";
  /** 0: any. */
  readonly identity: number;
  /** Of protocol (8) and port (16) together, that are compared: 0, or 8 to 24. */
  readonly bits: number;
  /** As in an IP header. */
  readonly protocol: number;
  readonly port: number;
  readonly denies: boolean;
  /** undefined: of a release that knows none. */
  readonly precedence: number | undefined;
  /** Demands what this mesh never asks for: a proxy or an authentication. */
  readonly demands: string;
}

export interface AskedTraffic {
  readonly direction: PolicyEntry["direction"];
  readonly identity: number;
  readonly protocol: Traffic;
  /** 0 for icmp. */
  readonly port: number;
}

export interface MapVerdict {
  readonly verdict: "allow" | "deny" | "unknown";
  /** undefined: none is concerned with it. */
  readonly entry: PolicyEntry | undefined;
}

const protocolBits = 8;
const allBits = 24;
/** Of a key, before protocol and port. */
const fixedBits = 40;
const denyFlag = 1;
/** The highest bit says whether it was asked for in so many words. */
const authTypeMask = 0x7f;

export function parsePolicyMap(text: string): PolicyEntry[] {
  const entries = asList(jsonOf(text));
  if (entries === undefined) throw wrong("a policy map is no list");
  return entries.map(entryOf);
}

function entryOf(item: unknown): PolicyEntry {
  const entry = objectOf("an entry of a policy map", item);
  const key = objectOf("Key", entry["Key"]);
  const of = (name: string, most: number): number => {
    const value = countOf(`Key.${name}`, key[name]);
    if (value > most) throw wrong(`Key.${name} is ${value}`);
    return value;
  };
  // one or the other, by release; neither: of a form that nobody has read
  const precedence = optional("Precedence", entry["Precedence"], countOf);
  if (precedence === undefined) countOf("ProxyPortPriority", entry["ProxyPortPriority"]);
  const bits = of("Prefixlen", fixedBits + allBits) - fixedBits;
  if (bits !== 0 && bits < protocolBits) throw wrong(`a key compares ${bits} bits`);
  const proxyPort = countOf("ProxyPortNetwork", entry["ProxyPortNetwork"]);
  const authType = countOf("AuthRequirement", entry["AuthRequirement"]) & authTypeMask;
  return {
    direction: of("TrafficDirection", 1) === 0 ? "ingress" : "egress",
    identity: of("Identity", 0xffffffff),
    bits,
    protocol: of("Nexthdr", 0xff),
    port: swapped(of("DestPortNetwork", 0xffff)),
    denies: (countOf("Flags", entry["Flags"]) & denyFlag) !== 0,
    precedence,
    demands: proxyPort !== 0 ? "a proxy" : authType !== 0 ? "authentication" : "",
  };
}

/** Network order, read on a machine with the lowest byte first (x64 and arm64). */
function swapped(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8);
}

export function judgeMap(entries: readonly PolicyEntry[], asked: AskedTraffic): MapVerdict {
  const own = longest(entries, asked, asked.identity);
  const any = longest(entries, asked, 0);
  const denied = [own, any].find((entry) => entry?.denies === true && entry.precedence === undefined);
  if (denied !== undefined) return { verdict: "deny", entry: denied };
  const chosen = any !== undefined && (own === undefined || isBefore(any, own)) ? any : own;
  if (chosen === undefined || chosen.denies) return { verdict: "deny", entry: chosen };
  // the other's demand can hold as well
  const demands = [own, any].some((entry) => entry !== undefined && entry.demands !== "");
  return { verdict: demands ? "unknown" : "allow", entry: chosen };
}

function isBefore(any: PolicyEntry, own: PolicyEntry): boolean {
  const [a, b] = [any.precedence ?? 0, own.precedence ?? 0];
  return a > b || (a === b && any.bits > own.bits);
}

function longest(
  entries: readonly PolicyEntry[],
  asked: AskedTraffic,
  identity: number,
): PolicyEntry | undefined {
  let found: PolicyEntry | undefined;
  for (const entry of entries)
    if (
      entry.direction === asked.direction &&
      entry.identity === identity &&
      covers(entry, asked) &&
      (found === undefined || entry.bits > found.bits)
    )
      found = entry;
  return found;
}

const numbers: Readonly<Record<Traffic, number>> = { icmp: 1, tcp: 6, udp: 17 };
/** The type stands in place of the port. */
const echoRequest = 8;

function covers({ bits, protocol, port }: PolicyEntry, asked: AskedTraffic): boolean {
  if (bits === 0) return true;
  if (protocol !== numbers[asked.protocol]) return false;
  const shift = allBits - bits;
  return port >> shift === (asked.protocol === "icmp" ? echoRequest : asked.port) >> shift;
}

/** "allow identity 8061, 8080/tcp" */
export function entryText({ denies, identity, bits, protocol, port }: PolicyEntry): string {
  const who = identity === 0 ? "any identity" : `identity ${identity}`;
  return `${denies ? "deny" : "allow"} ${who}, ${whatText(bits, protocol, port)}`;
}

function whatText(bits: number, protocol: number, port: number): string {
  if (bits === 0) return "everything";
  const [name = `protocol ${protocol}`] =
    Object.entries(numbers).find(([, number]) => number === protocol) ?? [];
  if (bits === protocolBits) return name;
  const last = port + 2 ** (allBits - bits) - 1;
  return `${port === last ? port : `${port}-${last}`}/${name}`;
}
