// In: the mesh, what it compiles to, and what kernels have counted. Out: flows and denials by identity. Pure.
// A connection between two nodes is counted by both kernels: the sender's knows the user, so its word is kept, and the
// receiver's makes it a flow that two testify to.
import { baselineName, type DesiredContent, type Origin, type Traffic } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import type { ObservedFlow } from "@weft/shared/model/observation";
import type { NodeObservations } from "../fleet/observations.ts";
import { auditedBy } from "./audited-by.ts";
import {
  addressOfNode,
  type Identity,
  identityOfAddress,
  identityOfTarget,
  identityOfUser,
} from "./identify.ts";
import { receiving, sending } from "./permits.ts";
import { baselineLine, policyLine } from "./policy-line.ts";

export interface NamedFlow {
  readonly kind: "allowed" | "denied" | "audited";
  readonly source: Identity;
  readonly destination: Identity;
  readonly protocol: Traffic;
  readonly port: number;
  readonly portName: string;
  readonly count: number;
  readonly lastSeen: Date;
  readonly witness: string;
  /** Whose kernel counted it. */
  readonly node: string;
  /** Of a refusal: the policy of the current mesh, or undefined for the default. */
  readonly origin: Origin | undefined;
  /** A refusal, and one of its ends is a banned node. */
  readonly isBanned: boolean;
  /** Of a refusal: the line that would allow it; empty when no policy can. */
  readonly wouldAllow: string;
}

type Compiled = ReadonlyMap<string, DesiredContent>;

/** Ages come in whole seconds. */
const blurMs = 2_000;

interface Placed {
  readonly node: string;
  readonly source: string;
  readonly destination: string;
  readonly flow: ObservedFlow;
}

export function namedFlows(
  mesh: Mesh,
  compiled: Compiled,
  observed: readonly NodeObservations[],
): NamedFlow[] {
  const placed = observed.flatMap(({ node, flows }) =>
    flows.map((flow): Placed => {
      const own = addressOfNode(mesh, node);
      return { node, source: flow.source ?? own, destination: flow.destination ?? own, flow };
    }),
  );
  const index = new Map<string, Placed>();
  for (const each of placed) index.set(keyOf(each, each.flow.kind, each.flow.direction, each.flow.uid), each);
  const arrivals = (each: Placed, kind: ObservedFlow["kind"]) =>
    index.get(keyOf(each, kind, "in", undefined));
  const departures = new Set(
    placed
      .filter(({ flow }) => flow.direction === "out")
      .map((each) => keyOf(each, each.flow.kind, "in", undefined)),
  );
  const isRefused = (each: Placed): boolean => {
    const { direction, uid, lastSeen } = each.flow;
    const refusals = [
      index.get(keyOf(each, "denied", direction, uid)),
      index.get(keyOf(each, "denied", "forward", undefined)),
      arrivals(each, "denied"),
    ];
    return refusals.some(
      (refusal) => refusal !== undefined && refusal.flow.lastSeen.getTime() >= lastSeen.getTime() - blurMs,
    );
  };
  const flows = placed
    .filter((each) => {
      const { kind, direction } = each.flow;
      if (kind === "seen" && isRefused(each)) return false;
      // told by the sender's kernel, which knows more
      return !(direction === "in" && departures.has(keyOf(each, kind, "in", undefined)));
    })
    .flatMap((each) => named(mesh, compiled, each, arrivals(each, each.flow.kind)));
  return flows.sort((a, b) => b.lastSeen.getTime() - a.lastSeen.getTime() || b.count - a.count);
}

function keyOf(
  { source, destination, flow: { protocol, port } }: Placed,
  kind: string,
  direction: string,
  uid: number | undefined,
): string {
  return [kind, direction, source, destination, protocol, port, uid].join(" ");
}

/** Of what is audited one for each policy on trial: it counts for all of them. */
function named(mesh: Mesh, compiled: Compiled, placed: Placed, arrival: Placed | undefined): NamedFlow[] {
  const { node, flow } = placed;
  const { protocol, port, kind, direction } = flow;
  const source =
    direction === "out"
      ? identityOfUser(mesh, node, flow.user, flow.uid)
      : identityOfAddress(mesh, placed.source);
  const { portName, ...destination } = identityOfTarget(mesh, placed.destination, protocol, port);
  const connection = {
    fromNode: source.kind === "none" ? undefined : source.node,
    user: flow.user,
    source: placed.source,
    toNode: destination.kind === "none" ? undefined : destination.node,
    destination: placed.destination,
    protocol,
    port,
  };
  const judge = direction === "out" ? sending : receiving;
  const permission = judge(compiled, connection);
  const trials = kind === "audited" ? auditedBy(compiled, connection, node, direction) : [];
  // the mesh may have been another when it was counted
  const decided = kind === "seen" || permission.allowed ? undefined : permission.origin;
  const origins = trials.length > 0 ? trials : [decided];
  const names = new Set(mesh.policies.map((policy) => policy.name));
  const wish = { source, destination, protocol, port, portName, action: "allow", names } as const;
  const isBaseline = kind !== "seen" && permission.origin?.policy === baselineName;
  const line = isBaseline && protocol !== "icmp" ? baselineLine(wish) : policyLine(wish);
  const bans = new Set(compiled.get(node)?.policy.guard.banned);
  const isBanned = bans.has(placed.source) || bans.has(placed.destination);
  const both = direction === "out" && arrival !== undefined && arrival.node !== node;
  const isDenial = (origin: Origin | undefined) =>
    mesh.policies.some(({ name, action }) => name === origin?.policy && action === "deny");
  return origins.map((origin) => ({
    kind: kind === "seen" ? "allowed" : kind,
    source,
    destination,
    protocol,
    port,
    portName,
    count: flow.packets,
    lastSeen: flow.lastSeen,
    witness: both ? `kernels of ${node} and ${arrival.node}` : `kernel of ${node}`,
    node,
    origin,
    isBanned: kind === "denied" && isBanned,
    // beside a policy that denies, or a ban, one that allows says nothing
    wouldAllow: kind === "seen" || isBanned || isDenial(origin) ? "" : (line ?? ""),
  }));
}
