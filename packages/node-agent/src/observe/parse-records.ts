// In: what `nft -j` printed of the sets the kernel fills, and when. Out: flows as values, the sets that are full, and
// who has used up the quota of one source. Pure. A set's name says what it records: KIND_DIRECTION and the family;
// pings have no port, and sets of their own.
import { formatCidr, parseAddress, parseCidr } from "@weft/shared/model/address";
import type { Protocol } from "@weft/shared/model/desired";
import {
  type Direction,
  type FlowKind,
  flowKey,
  type ObservedFlow,
  type SpentQuota,
} from "@weft/shared/model/observation";

export interface Records {
  /** Without the names of users. */
  readonly flows: readonly ObservedFlow[];
  readonly fullSets: readonly string[];
  /** Without the names of users. */
  readonly spent: readonly SpentQuota[];
}

type Json = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const recordName = /^(seen|denied|audited)_(?:mesh_|guard_)?(in|out|forward|ping)[46]$/;
const spentName = /^spent_(in|out)[46]?$/;

/** Read by the agent. */
export function isRecord(set: string): boolean {
  return recordName.test(set) || spentName.test(set);
}

const protocols: Readonly<Record<string, Protocol>> = { tcp: "tcp", 6: "tcp", udp: "udp", 17: "udp" };

/** One JSON document a line. */
export function parseRecords(printed: string, now: Date): Records {
  const flows = new Map<string, ObservedFlow>();
  const spent: SpentQuota[] = [];
  const fullSets: string[] = [];
  for (const line of printed.split("\n")) {
    if (!line.startsWith("{")) continue;
    for (const item of listOf(objectOf(JSON.parse(line))?.["nftables"])) {
      const set = objectOf(objectOf(item)?.["set"]);
      const name = String(set?.["name"] ?? "");
      if (set === undefined || !isRecord(name)) continue;
      const elements = listOf(set["elem"]);
      if (elements.length > 0 && elements.length >= Number(set["size"])) fullSets.push(name);
      const [, kind, direction] = recordName.exec(name) ?? [];
      if (kind === undefined || direction === undefined) {
        for (const element of elements) spent.push(...spentOf(element));
        continue;
      }
      for (const element of elements) {
        const flow =
          direction === "ping"
            ? pingOf(element, set, kind as FlowKind, now)
            : flowOf(element, set, { kind: kind as FlowKind, direction: direction as Direction }, now);
        if (flow === undefined) continue;
        const key = flowKey(flow);
        const known = flows.get(key);
        flows.set(key, known === undefined ? flow : merged(known, flow));
      }
    }
  }
  return { flows: [...flows.values()], fullSets, spent };
}

/** The same flow in two sets: what it was counted as has changed on the way. */
function merged(a: ObservedFlow, b: ObservedFlow): ObservedFlow {
  const newer = a.lastSeen > b.lastSeen ? a : b;
  return { ...newer, packets: a.packets + b.packets };
}

function spentOf(entry: unknown): SpentQuota[] {
  const value = objectOf(objectOf(entry)?.["elem"])?.["val"];
  if (typeof value === "number") return [{ direction: "out", source: undefined, uid: value, user: "" }];
  const address = parseCidr(String(value));
  if (address === undefined) return [];
  // of IPv6 the kernel keeps the network
  const source = formatCidr(address.family === 6 ? { ...address, bits: 64 } : address);
  return [{ direction: "in", source, uid: undefined, user: "" }];
}

/** undefined: neither TCP nor UDP. */
function flowOf(
  entry: unknown,
  set: Json,
  named: Pick<ObservedFlow, "kind" | "direction">,
  now: Date,
): ObservedFlow | undefined {
  const element = objectOf(objectOf(entry)?.["elem"]);
  const key = listOf(objectOf(element?.["val"])?.["concat"]);
  const { direction } = named;
  const addresses = direction === "forward" ? 2 : 1;
  const [protocolText, port, uid] = key.slice(addresses);
  const protocol = protocols[String(protocolText)];
  if (element === undefined || protocol === undefined || typeof port !== "number") return undefined;
  const [first, second] = key.slice(0, addresses).map((text) => parseAddress(String(text)));
  return {
    ...named,
    source: direction === "out" ? undefined : first,
    destination: direction === "out" ? first : second,
    protocol,
    port,
    uid: direction === "out" && typeof uid === "number" ? uid : undefined,
    user: "",
    ...countOf(element, set, now),
  };
}

function countOf(element: Json, set: Json, now: Date): Pick<ObservedFlow, "packets" | "lastSeen"> {
  const timeout = Number(element["timeout"] ?? set["timeout"]);
  const left = Number(element["expires"]);
  const age = Number.isFinite(timeout - left) ? Math.max(0, timeout - left) : 0;
  return {
    packets: Number(objectOf(element["counter"])?.["packets"] ?? 0),
    lastSeen: new Date(now.getTime() - age * 1000),
  };
}

function pingOf(entry: unknown, set: Json, kind: FlowKind, now: Date): ObservedFlow | undefined {
  const element = objectOf(objectOf(entry)?.["elem"]);
  if (element === undefined || typeof element["val"] !== "string") return undefined;
  return {
    kind,
    direction: "in",
    source: parseAddress(element["val"]),
    destination: undefined,
    protocol: "icmp",
    port: 0,
    uid: undefined,
    user: "",
    ...countOf(element, set, now),
  };
}
