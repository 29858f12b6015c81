// In: what each node's kernel has counted, message by message. Out: what is held of it. In memory only: kernels keep
// their sets, and agents tell everything again on a new stream. Bounded per node: the longest unused goes first.
import type { Observation, ObservedFlow } from "@weft/shared/model/observation";

export interface NodeObservations {
  readonly node: string;
  readonly flows: readonly ObservedFlow[];
  readonly fullSets: readonly string[];
  /** Flows that were dropped here or not told: what is not listed is not known. */
  readonly leftOut: number;
  readonly heard: Date;
}

interface Held {
  flows: Map<string, ObservedFlow>;
  fullSets: readonly string[];
  leftOut: number;
  heard: Date;
}

const mostPerNode = 2_000;
/** As the kernel keeps them (the sets' own timeouts). */
const keptMs = { seen: 7 * 24 * 3600_000, audited: 7 * 24 * 3600_000, denied: 3600_000 } as const;

function keyOf({ kind, direction, source, destination, protocol, port, uid }: ObservedFlow): string {
  return [kind, direction, source, destination, protocol, port, uid].join(" ");
}

export class Observations {
  readonly #nodes = new Map<string, Held>();
  readonly #most: number;

  constructor(most: number = mostPerNode) {
    this.#most = most;
  }

  take(node: string, observation: Observation, now: Date): void {
    const before = observation.complete ? undefined : this.#nodes.get(node);
    const held: Held = before ?? { flows: new Map(), fullSets: [], leftOut: 0, heard: now };
    for (const flow of observation.flows) {
      // a node's clock may be ahead; nothing was seen after now
      const lastSeen = flow.lastSeen > now ? now : flow.lastSeen;
      held.flows.set(keyOf(flow), { ...flow, lastSeen });
    }
    held.fullSets = observation.fullSets;
    held.leftOut = observation.leftOut;
    held.heard = now;
    const over = held.flows.size - this.#most;
    if (over > 0) {
      const oldest = [...held.flows].sort(([, a], [, b]) => a.lastSeen.getTime() - b.lastSeen.getTime());
      for (const [key] of oldest.slice(0, over)) held.flows.delete(key);
      held.leftOut += over;
    }
    this.#nodes.set(node, held);
  }

  /** When the node last said something. */
  heard(node: string): Date | undefined {
    return this.#nodes.get(node)?.heard;
  }

  /** How good what is held of the node is. */
  of(node: string): Pick<NodeObservations, "fullSets" | "leftOut" | "heard"> | undefined {
    return this.#nodes.get(node);
  }

  all(now: Date): NodeObservations[] {
    return [...this.#nodes]
      .map(([node, { flows, fullSets, leftOut, heard }]) => ({
        node,
        flows: [...flows.values()].filter(
          ({ kind, lastSeen }) => now.getTime() - lastSeen.getTime() < keptMs[kind],
        ),
        fullSets,
        leftOut,
        heard,
      }))
      .sort((a, b) => (a.node < b.node ? -1 : 1));
  }
}
