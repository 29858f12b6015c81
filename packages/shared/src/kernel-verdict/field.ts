// In: the left side of a match, and the packet. Out: what the kernel would read there: a number of a type, the name of
// an interface, nothing (then the rule does not match), or unknown. Pure.
import { familyOf, parseCidr } from "../model/address.ts";
import { type DataType, intervalOf } from "./data-type.ts";
import { asList, asObject, asText, type Json } from "./json.ts";
import type { Packet } from "./packet.ts";
import { isUnknown, type Unknown } from "./truth.ts";

export type Field =
  | { readonly kind: "number"; readonly type: DataType; readonly value: bigint }
  /** Some port that the sender's kernel picks. */
  | { readonly kind: "ephemeral" }
  /** undefined: any but lo, whose name begins so. */
  | { readonly kind: "interface"; readonly name: string | undefined; readonly prefix: string }
  | { readonly kind: "absent" };

const absent: Field = { kind: "absent" };
const number = (type: DataType, value: bigint | number): Field => ({
  kind: "number",
  type,
  value: BigInt(value),
});

const protocolNumber = ({ protocol, destination }: Packet): number => {
  if (protocol === "icmp") return familyOf(destination) === 4 ? 1 : 58;
  return protocol === "tcp" ? 6 : 17;
};
const echoRequest = { icmp: 8, icmpv6: 128 } as const;
const syn = 2;

export function fieldOf(expression: unknown, packet: Packet): Field | Unknown {
  const object = asObject(expression);
  const meta = asObject(object?.["meta"]);
  if (meta !== undefined) return metaField(String(meta["key"]), packet);
  const payload = asObject(object?.["payload"]);
  if (payload !== undefined) return payloadField(payload, packet);
  const ct = asObject(object?.["ct"]);
  if (ct !== undefined) return ctField(ct, packet);
  const masked = asList(object?.["&"]);
  if (masked !== undefined) return maskedField(masked, packet);
  const name = object === undefined ? String(expression) : Object.keys(object).join(", ");
  return { unknown: `the expression "${name}"` };
}

/** The fields of a concatenation, or the one field. */
export function fieldsOf(expression: unknown, packet: Packet): (Field | Unknown)[] {
  const parts = asList(asObject(expression)?.["concat"]);
  return (parts ?? [expression]).map((part) => fieldOf(part, packet));
}

function metaField(key: string, packet: Packet): Field | Unknown {
  const { hook, local, uid } = packet;
  const family = familyOf(packet.destination);
  switch (key) {
    case "iif":
    case "iifname":
      // a packet that leaves has come by no interface
      return {
        kind: "interface",
        name: hook === "output" ? "" : local ? "lo" : undefined,
        prefix: packet.linkPrefix ?? "",
      };
    case "oif":
    case "oifname":
      return {
        kind: "interface",
        name: hook === "input" ? "" : local ? "lo" : undefined,
        prefix: "",
      };
    case "pkttype":
      // what is asked about is sent to one machine
      return number("packetType", 0);
    case "l4proto":
      return number("protocol", protocolNumber(packet));
    case "nfproto":
      return number("family", family === 4 ? 2 : 10);
    case "protocol":
      return number("etherType", family === 4 ? 0x0800 : 0x86dd);
    case "skuid":
      if (hook === "input") return { unknown: "the uid of what arrives" };
      return uid === undefined ? absent : number("uid", uid);
    default:
      return { unknown: `meta ${key}` };
  }
}

function payloadField(payload: Json, packet: Packet): Field | Unknown {
  const protocol = asText(payload["protocol"]);
  const name = asText(payload["field"]);
  const what = `${protocol ?? "raw payload"} ${name ?? ""}`.trim();
  switch (protocol) {
    case "ip":
    case "ip6":
      return networkField(protocol, name, packet);
    case "icmp":
    case "icmpv6":
      if (packet.protocol !== "icmp" || (protocol === "icmp" ? 4 : 6) !== familyOf(packet.destination))
        return absent;
      if (name === "type")
        return number(protocol === "icmp" ? "icmpType" : "icmpv6Type", echoRequest[protocol]);
      return { unknown: what };
    case "tcp":
    case "udp":
    case "th":
      if (protocol !== "th" && protocol !== packet.protocol) return absent;
      if (packet.protocol === "icmp") return { unknown: "ports of what has none" };
      if (name === "dport") return number("port", packet.port);
      if (name === "sport") return { kind: "ephemeral" };
      if (name === "flags" && packet.protocol === "tcp") return number("tcpFlags", syn);
      return { unknown: what };
    default:
      return { unknown: what };
  }
}

function networkField(protocol: "ip" | "ip6", name: string | undefined, packet: Packet): Field | Unknown {
  const family = familyOf(packet.destination);
  if ((protocol === "ip" ? 4 : 6) !== family) return absent;
  const address = (text: string): Field | Unknown => {
    const cidr = parseCidr(text);
    if (cidr === undefined) return { unknown: `the address "${text}"` };
    return number(family === 4 ? "address4" : "address6", cidr.network);
  };
  if (name === "saddr") return address(packet.source);
  if (name === "daddr") return address(packet.destination);
  if (name === "protocol" || name === "nexthdr") return number("protocol", protocolNumber(packet));
  return { unknown: `${protocol} ${name ?? ""}` };
}

const newState = 8;
const dnatStatus = 32;

/** As connection tracking sees the first packet of a connection. */
function ctField(ct: Json, packet: Packet): Field | Unknown {
  const key = asText(ct["key"]) ?? "";
  if (key === "state") return number("state", newState);
  if (key === "status") return number("status", packet.publishedPort === undefined ? 0 : dnatStatus);
  if (key === "direction") return number("direction", 0);
  if (key === "proto-dst" && ct["dir"] === "original" && packet.protocol !== "icmp")
    return number("port", packet.publishedPort ?? packet.port);
  return { unknown: `ct ${key}` };
}

/** Flags a first packet may carry or not. */
const optionalFlags = 64n | 128n;

function maskedField([expression, mask]: readonly unknown[], packet: Packet): Field | Unknown {
  const field = fieldOf(expression, packet);
  if (isUnknown(field) || field.kind === "absent") return field;
  const bits = field.kind === "number" ? intervalOf(field.type, mask) : undefined;
  if (field.kind !== "number" || bits === undefined || bits.from !== bits.to) return { unknown: "a mask" };
  if (field.type === "tcpFlags" && (bits.from & optionalFlags) !== 0n) return { unknown: "ECN flags" };
  return { ...field, value: field.value & bits.from };
}
