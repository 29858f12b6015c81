// In: a valid mesh. Out: for each node, what its kernel is to enforce. Pure, and the same for any order in the file.
import type { DesiredPolicy, EgressRule, Endpoint, IngressRule, PingRule } from "@weft/shared/model/desired";
import type { Mesh, MeshNode } from "@weft/shared/model/mesh";
import type { CompileMemory } from "./compile-memory.ts";
import { type ResolvedPolicy, resolvePolicies } from "./grants.ts";
import { type CoordinatorPlace, type CoveredAddresses, coveredAddresses, guardOf } from "./guard.ts";
import { inOrder } from "./order.ts";
import { outsideOf } from "./outside.ts";
import { pieceKey, piecesOf, type ServicePieces } from "./service-pieces.ts";
import { baselineOf, pingRules, rangesOf } from "./undeclared.ts";

/** What all nodes have in common. */
interface Whole {
  readonly mesh: Mesh;
  readonly coordinator: CoordinatorPlace;
  readonly nodes: ReadonlyMap<string, MeshNode>;
  readonly endpoints: readonly Endpoint[];
  readonly covered: CoveredAddresses;
  readonly forwarded: readonly ServicePieces[];
  readonly forward: readonly IngressRule[];
}

/** A node's share, in lists that are the very same as long as what they are made from is. */
interface Share {
  readonly local: readonly (readonly Endpoint[])[];
  readonly ingress: readonly (readonly IngressRule[])[];
  readonly egress: readonly (readonly EgressRule[])[];
  readonly ping: readonly PingRule[] | undefined;
}

export interface NodePolicy {
  /** What it is made from, beside the common parts of the mesh: compared by being the very same. */
  readonly parts: readonly unknown[];
  readonly make: () => DesiredPolicy;
}

export function nodePolicies(
  mesh: Mesh,
  coordinator: CoordinatorPlace,
  memory: CompileMemory,
): ReadonlyMap<string, NodePolicy> {
  const nodes = new Map(mesh.nodes.map((node) => [node.name, node]));
  const policies = resolvePolicies(mesh);
  const leadingTo = byTarget(policies);
  const pieces = mesh.services.map((service) => {
    const leading = leadingTo.get(service.name) ?? [];
    return memory.services.of(pieceKey(mesh, service, leading, nodes), () =>
      piecesOf(mesh, service, leading, nodes),
    );
  });
  const endpoints = memory.same(inOrder(pieces.flatMap((piece) => piece.endpoints)));
  const forwarded = pieces.filter(({ forward }) => forward.length > 0);
  const forward = memory.same(inOrder(forwarded.flatMap((piece) => piece.forward)));
  const whole: Whole = {
    mesh,
    coordinator,
    nodes,
    endpoints,
    covered: coveredAddresses(mesh.nodes),
    forwarded,
    forward,
  };
  const shares = sharesOf(mesh, pieces, policies, nodes, memory);
  return new Map(
    mesh.nodes.map((node) => {
      const share = shares(node.name);
      const own = forwarded.some(({ instances }) => instances.every((name) => name === node.name));
      return [
        node.name,
        {
          parts: [
            endpoints,
            own ? undefined : forward,
            ...share.local,
            ...share.ingress,
            ...share.egress,
            share.ping,
          ],
          make: () => policyOf(whole, node, share),
        },
      ];
    }),
  );
}

function byTarget(policies: readonly ResolvedPolicy[]): ReadonlyMap<string, ResolvedPolicy[]> {
  const map = new Map<string, ResolvedPolicy[]>();
  for (const policy of policies) for (const to of policy.to) push(map, to, policy);
  return map;
}

function push<T>(map: Map<string, T[]>, key: string, item: T): void {
  const found = map.get(key);
  if (found === undefined) map.set(key, [item]);
  else found.push(item);
}

function sharesOf(
  mesh: Mesh,
  pieces: readonly ServicePieces[],
  policies: readonly ResolvedPolicy[],
  nodes: ReadonlyMap<string, MeshNode>,
  memory: CompileMemory,
): (node: string) => Share {
  const local = new Map<string, (readonly Endpoint[])[]>();
  const ingress = new Map<string, (readonly IngressRule[])[]>();
  const egress = new Map<string, (readonly EgressRule[])[]>();
  for (const piece of pieces) {
    for (const name of new Set(piece.instances)) {
      push(local, name, piece.endpoints);
      push(ingress, name, piece.ingress);
    }
    for (const [name, rules] of piece.calls) push(egress, name, rules);
  }
  for (const policy of policies)
    if (policy.policy.to.some(({ kind }) => kind === "cidr"))
      for (const [name, rules] of outsideOf(policy, nodes)) push(egress, name, memory.same(rules));
  const pings = pingRules(mesh, policies, nodes);
  return (node) => {
    const ping = pings.get(node);
    return {
      local: local.get(node) ?? [],
      ingress: ingress.get(node) ?? [],
      egress: egress.get(node) ?? [],
      ping: ping === undefined ? undefined : memory.same(ping),
    };
  };
}

function policyOf(whole: Whole, node: MeshNode, { local, ingress, egress, ping }: Share): DesiredPolicy {
  const { mesh, coordinator, nodes, endpoints, covered, forwarded, forward } = whole;
  const received = inOrder(ingress.flat());
  const sent = inOrder(egress.flat());
  const baseline = baselineOf(mesh, node, nodes);
  const covering = [
    ...rangesOf(baseline, ping ?? []),
    ...received.filter(({ from, source }) => from === source).map(({ source }) => source),
    ...sent.filter(({ to, destination }) => to === destination).map(({ destination }) => destination),
    ...mesh.guard.admin,
  ];
  const alone = forwarded.filter(({ instances }) => instances.every((name) => name === node.name));
  return {
    enforcement: "nftables",
    services: inOrder(local.flat().filter((endpoint) => endpoint.node === node.name)),
    ingress: received,
    mesh: endpoints,
    egress: sent,
    // to a service that is here alone nothing is forwarded
    forward:
      alone.length === 0
        ? forward
        : inOrder(forwarded.filter((piece) => !alone.includes(piece)).flatMap((piece) => piece.forward)),
    guard: guardOf(mesh, node, coordinator, covering, covered),
    egressDefault: mesh.defaults.egress,
    mode: mesh.defaults.mode,
    boot: mesh.defaults.boot,
    ...(baseline === undefined ? {} : { baseline }),
    ...(ping === undefined ? {} : { ping }),
  };
}
