// In: what each node's kernel has counted, message by message. Out: what is held of it. In memory only: kernels keep
// their sets, and agents tell everything again on a new stream. Bounded per node, and fairly: whoever has the most
// flows loses the longest unused of them, and is named.
import {
  type EndpointMemory,
  flowKey,
  type Observation,
  type ObservedFlow,
  type SpentQuota,
} from "@weft/shared/model/observation";

export interface NodeObservations {
  readonly node: string;
  readonly flows: readonly ObservedFlow[];
  readonly fullSets: readonly string[];
  /** Flows that were not told, or dropped here of too many sources to name: what is not listed is not known. */
  readonly leftOut: number;
  /** Of these more was seen than is remembered. */
  readonly spent: readonly SpentQuota[];
  /** What was opened before is not remembered. */
  readonly memorySince: Date;
  /** Of what Cilium did at its endpoints; undefined: it has told nothing of any. */
  readonly endpoints?: HeardEndpoints | undefined;
  readonly heard: Date;
}

export interface HeardEndpoints {
  /** undefined: nothing is heard now. */
  readonly since: Date | undefined;
  /** Why it begins where it does. */
  readonly gap: string;
}

interface Held extends Omit<NodeObservations, "node" | "flows"> {
  readonly flows: Map<string, ObservedFlow>;
  /** Of whom flows were dropped here. */
  readonly dropped: Map<string, SpentQuota>;
  readonly droppedUnnamed: number;
}

/** More than one local user's quota, so that no single one is dropped for it. */
const mostPerNode = 4_000;
const mostNamed = 256;
export const retentionMs = 7 * 24 * 3600_000;
/** As the kernel keeps them (the sets' own timeouts). */
const keptMs = { seen: retentionMs, audited: retentionMs, denied: 3600_000 } as const;

export class Observations {
  readonly #nodes = new Map<string, Held>();
  readonly #most: number;

  constructor(most: number = mostPerNode) {
    this.#most = most;
  }

  take(node: string, observation: Observation, now: Date): void {
    const { complete, fullSets, spent, memorySeconds } = observation;
    const before = complete ? undefined : this.#nodes.get(node);
    const flows = before?.flows ?? new Map<string, ObservedFlow>();
    const dropped = before?.dropped ?? new Map<string, SpentQuota>();
    for (const flow of observation.flows) {
      // a node's clock may be ahead; nothing was seen after now
      const lastSeen = flow.lastSeen > now ? now : flow.lastSeen;
      flows.set(flowKey(flow), { ...flow, lastSeen });
    }
    let droppedUnnamed = before?.droppedUnnamed ?? 0;
    if (flows.size > this.#most) {
      for (const [key, flow] of flows) if (isForgotten(flow, now)) flows.delete(key);
      droppedUnnamed += dropFairly(flows, this.#most, dropped);
    }
    const leftOut = observation.leftOut + droppedUnnamed;
    const memorySince = new Date(now.getTime() - Math.min(memorySeconds * 1000, retentionMs));
    const named = [...spent, ...dropped.values()];
    const endpoints = heardEndpoints(observation.endpoints, now);
    const sources = { flows, dropped, droppedUnnamed, fullSets, leftOut, spent: named };
    this.#nodes.set(node, { ...sources, memorySince, endpoints, heard: now });
  }

  /** When the node last said something. */
  heard(node: string): Date | undefined {
    return this.#nodes.get(node)?.heard;
  }

  /** How good what is held of the node is. */
  of(node: string): Omit<NodeObservations, "node" | "flows"> | undefined {
    return this.#nodes.get(node);
  }

  all(now: Date): NodeObservations[] {
    return [...this.#nodes]
      .map(([node, { flows, dropped: _, droppedUnnamed: __, ...held }]) => ({
        ...held,
        node,
        flows: [...flows.values()].filter((flow) => !isForgotten(flow, now)),
      }))
      .sort((a, b) => (a.node < b.node ? -1 : 1));
  }
}

function heardEndpoints(memory: EndpointMemory | undefined, now: Date): HeardEndpoints | undefined {
  if (memory === undefined) return undefined;
  const { seconds, gap } = memory;
  const since = seconds === 0 ? undefined : new Date(now.getTime() - Math.min(seconds * 1000, retentionMs));
  return { since, gap };
}

function isForgotten({ kind, lastSeen }: ObservedFlow, now: Date): boolean {
  return now.getTime() - lastSeen.getTime() >= keptMs[kind];
}

type Entry = readonly [key: string, flow: ObservedFlow];

/** Leaves the newest of each source, as many as there is room for. Returns how many went of whom it cannot name. */
function dropFairly(
  flows: Map<string, ObservedFlow>,
  most: number,
  dropped: Map<string, SpentQuota>,
): number {
  const bySource = new Map<string, Entry[]>();
  const newestFirst = [...flows].sort(([, a], [, b]) => b.lastSeen.getTime() - a.lastSeen.getTime());
  for (const entry of newestFirst) {
    const [, { direction, source, uid, endpoint }] = entry;
    const at = direction === "out" ? endpoint?.service : undefined;
    const key = `${direction} ${source} ${uid} ${at ?? ""}`;
    const entries = bySource.get(key);
    if (entries === undefined) bySource.set(key, [entry]);
    else entries.push(entry);
  }
  const share = fairShare(
    [...bySource.values()].map((entries) => entries.length),
    most,
  );
  let unnamed = 0;
  for (const [source, entries] of bySource) {
    const gone = entries.slice(share);
    for (const [key] of gone) flows.delete(key);
    const [first] = gone;
    if (first === undefined) continue;
    const { direction, source: address, uid, user, endpoint } = first[1];
    const at = direction === "out" ? endpoint?.service : undefined;
    if (direction === "forward" || (!dropped.has(source) && dropped.size >= mostNamed))
      unnamed += gone.length;
    else dropped.set(source, { direction, source: address, uid, user, endpoint: at });
  }
  // more sources than room
  for (const [key] of newestFirst.slice(most)) if (flows.size > most && flows.delete(key)) unnamed += 1;
  return unnamed;
}

/** The most that each may keep, so that all of them fit; one at least. */
function fairShare(sizes: readonly number[], most: number): number {
  const sorted = [...sizes].sort((a, b) => a - b);
  let room = most;
  for (const [index, size] of sorted.entries()) {
    const share = Math.floor(room / (sorted.length - index));
    if (size > share) return Math.max(1, share);
    room -= size;
  }
  return most;
}
