// In: what a node's agent would tell of its memory. Out: what a stolen node tells instead: it hides flows, invents
// flows, speaks for other nodes, and says that its memory is whole and as old as can be.
import type { Observation, ObservedFlow } from "../../packages/shared/src/model/observation.ts";
import type { Random } from "./random-mesh.ts";

export interface Lies {
  /** Addresses it knows of. */
  readonly addresses: readonly string[];
  readonly users: ReadonlyMap<string, number>;
  readonly ports: readonly number[];
}

export function lyingObservations(
  random: Random,
  told: readonly Observation[],
  lies: Lies,
  now: Date,
): Observation[] {
  const hides = random.pick([30, 70, 100]);
  const kept = told.flatMap(({ flows }) => flows).filter(() => !random.chance(hides));
  const invented = Array.from({ length: 40 }, () => inventedFlow(random, lies, now));
  return [
    {
      witness: "kernel of somebody",
      flows: [...kept.map((flow) => misattributed(random, flow, lies)), ...invented],
      complete: true,
      fullSets: [],
      leftOut: 0,
      memorySeconds: 1e9,
      spent: [],
    },
  ];
}

/** The same connection, by another user of the same node. */
function misattributed(random: Random, flow: ObservedFlow, { users }: Lies): ObservedFlow {
  if (flow.uid === undefined || random.chance(50)) return flow;
  const user = random.pick([...users.keys()]);
  return { ...flow, user, uid: users.get(user) };
}

function inventedFlow(random: Random, { addresses, users, ports }: Lies, now: Date): ObservedFlow {
  const direction = random.pick(["in", "out", "forward"] as const);
  const user = random.pick([...users.keys()]);
  return {
    kind: random.pick(["seen", "seen", "denied", "audited"]),
    direction,
    // of what it sent itself, too: as if another had
    source: random.pick(addresses),
    destination: random.pick(addresses),
    protocol: random.pick(["tcp", "udp"]),
    port: random.pick(ports),
    uid: direction === "out" ? users.get(user) : undefined,
    user: direction === "out" ? user : "",
    packets: 1 + random.below(1_000),
    lastSeen: new Date(now.getTime() - random.below(8 * 24 * 3600) * 1000),
  };
}
