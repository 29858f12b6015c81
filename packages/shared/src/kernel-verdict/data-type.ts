// In: a constant as nft prints it, and the type of what it is compared with. Out: the interval of numbers it stands
// for; undefined when this release does not know it. Pure.
import { parseCidr } from "../model/address.ts";
import { asList, asObject } from "./json.ts";

export type DataType =
  | "address4"
  | "address6"
  | "protocol"
  | "port"
  | "uid"
  | "family"
  | "etherType"
  | "state"
  | "status"
  | "direction"
  | "packetType"
  | "tcpFlags"
  | "icmpType"
  | "icmpv6Type";

export interface Interval {
  readonly from: bigint;
  readonly to: bigint;
}

const words: Partial<Record<DataType, Readonly<Record<string, bigint>>>> = {
  protocol: {
    icmp: 1n,
    tcp: 6n,
    udp: 17n,
    dccp: 33n,
    "ipv6-icmp": 58n,
    icmpv6: 58n,
    sctp: 132n,
    udplite: 136n,
  },
  family: { ipv4: 2n, ipv6: 10n },
  etherType: { ip: 0x0800n, ip6: 0x86ddn, arp: 0x0806n },
  state: { invalid: 1n, established: 2n, related: 4n, new: 8n, untracked: 64n },
  status: { expected: 1n, "seen-reply": 2n, assured: 4n, confirmed: 8n, snat: 16n, dnat: 32n, dying: 512n },
  direction: { original: 0n, reply: 1n },
  packetType: { host: 0n, unicast: 0n, broadcast: 1n, multicast: 2n, other: 3n },
  icmpType: {
    "echo-reply": 0n,
    "destination-unreachable": 3n,
    "source-quench": 4n,
    redirect: 5n,
    "echo-request": 8n,
    "router-advertisement": 9n,
    "router-solicitation": 10n,
    "time-exceeded": 11n,
    "parameter-problem": 12n,
    "timestamp-request": 13n,
    "timestamp-reply": 14n,
    "info-request": 15n,
    "info-reply": 16n,
    "address-mask-request": 17n,
    "address-mask-reply": 18n,
  },
  icmpv6Type: {
    "destination-unreachable": 1n,
    "packet-too-big": 2n,
    "time-exceeded": 3n,
    "parameter-problem": 4n,
    "echo-request": 128n,
    "echo-reply": 129n,
    "mld-listener-query": 130n,
    "mld-listener-report": 131n,
    "mld-listener-done": 132n,
    "mld-listener-reduction": 132n,
    "nd-router-solicit": 133n,
    "nd-router-advert": 134n,
    "nd-neighbor-solicit": 135n,
    "nd-neighbor-advert": 136n,
    "nd-redirect": 137n,
    "router-renumbering": 138n,
    "mld2-listener-report": 143n,
  },
  tcpFlags: { fin: 1n, syn: 2n, rst: 4n, psh: 8n, ack: 16n, urg: 32n, ecn: 64n, cwr: 128n },
};

const flags: ReadonlySet<DataType> = new Set(["state", "status", "tcpFlags"]);

function addressInterval(text: string, type: "address4" | "address6"): Interval | undefined {
  const cidr = parseCidr(text);
  if (cidr === undefined || cidr.family !== (type === "address4" ? 4 : 6)) return undefined;
  const size = BigInt((cidr.family === 4 ? 32 : 128) - cidr.bits);
  return { from: cidr.network, to: cidr.network | ((1n << size) - 1n) };
}

function scalar(type: DataType, value: unknown): Interval | undefined {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) {
    const number = BigInt(value);
    return { from: number, to: number };
  }
  if (typeof value !== "string") return undefined;
  if (type === "address4" || type === "address6") return addressInterval(value, type);
  const word = words[type]?.[value];
  if (word !== undefined) return { from: word, to: word };
  return /^\d+$/.test(value) ? { from: BigInt(value), to: BigInt(value) } : undefined;
}

export function intervalOf(type: DataType, constant: unknown): Interval | undefined {
  const object = asObject(constant);
  const prefix = asObject(object?.["prefix"]);
  if (prefix !== undefined) {
    if (type !== "address4" && type !== "address6") return undefined;
    return addressInterval(`${String(prefix["addr"])}/${String(prefix["len"])}`, type);
  }
  const range = asList(object?.["range"]);
  if (range !== undefined) {
    const from = scalar(type, range[0]);
    const to = scalar(type, range[1]);
    return from === undefined || to === undefined ? undefined : { from: from.from, to: to.to };
  }
  // a list of flags, bare or as {"|": [...]}, is all of them together
  const list = asList(constant) ?? asList(object?.["|"]);
  if (list !== undefined && flags.has(type)) {
    let sum = 0n;
    for (const part of list) {
      const flag = intervalOf(type, part);
      if (flag === undefined || flag.from !== flag.to) return undefined;
      sum |= flag.from;
    }
    return { from: sum, to: sum };
  }
  return scalar(type, constant);
}
