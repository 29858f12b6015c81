// In: a service and the policies that lead to it. Out: everything about it that its own nodes, its callers' nodes and those
// between them need. Pure. Two calls with the same key give the same, so whoever remembers may spare the second.
import type { EgressRule, Endpoint, IngressRule, Strength } from "@weft/shared/model/desired";
import type { Mesh, MeshNode, MeshService } from "@weft/shared/model/mesh";
import { type Grant, grantsOn, portMode, type ResolvedPolicy } from "./grants.ts";

type Nodes = ReadonlyMap<string, MeshNode>;

export interface ServicePieces {
  readonly instances: readonly string[];
  readonly endpoints: readonly Endpoint[];
  /** Of each of its instances. */
  readonly ingress: readonly IngressRule[];
  /** By the sender's node. */
  readonly calls: ReadonlyMap<string, readonly EgressRule[]>;
  /** From ranges, for nodes that pass on to an instance elsewhere. */
  readonly forward: readonly IngressRule[];
}

/** All that the pieces are made from. */
export function pieceKey(
  mesh: Mesh,
  service: MeshService,
  leading: readonly ResolvedPolicy[],
  nodes: Nodes,
): string {
  const placed = (of: MeshService) => [
    of.name,
    of.user,
    of.nodes.map((node) => [node, nodes.get(node)?.address]),
  ];
  return JSON.stringify([
    placed(service),
    service.ports,
    mesh.defaults.mode,
    leading.map(({ policy, mode, origin, services, nodes: from, cidrs }) => [
      policy.action,
      policy.ports,
      mode,
      origin,
      services.map(placed),
      from.map(({ name, address }) => [name, address]),
      cidrs,
    ]),
  ]);
}

export function piecesOf(
  mesh: Mesh,
  service: MeshService,
  leading: readonly ResolvedPolicy[],
  nodes: Nodes,
): ServicePieces {
  const instances = service.nodes.flatMap((name) => nodes.get(name) ?? []);
  const ports = service.ports.map((port) => ({ port, mode: portMode(port, leading, mesh.defaults.mode) }));
  const grants = ports.flatMap(({ port, mode }) => grantsOn(nodes, port, leading, mode));
  return {
    instances: instances.map(({ name }) => name),
    endpoints: instances.flatMap((node) =>
      ports.map(({ port, mode }) => ({
        service: service.name,
        node: node.name,
        address: node.address,
        portName: port.name,
        port: port.range,
        user: service.user,
        mode,
      })),
    ),
    ingress: receivedOf(service, grants),
    calls: callsOf(service, instances, grants),
    forward: grants
      .filter(({ source }) => source.kind === "cidr")
      .map((grant) => ingressRule(service, grant)),
  };
}

function ingressRule(service: MeshService, grant: Grant): IngressRule {
  const { source } = grant;
  const strength: Strength = source.kind === "service" ? "address+uid" : "address";
  return {
    service: service.name,
    port: grant.port,
    action: grant.action,
    mode: grant.mode,
    from:
      source.kind === "cidr" ? source.cidr : source.kind === "node" ? source.node.name : source.service.name,
    source: source.kind === "cidr" ? source.cidr : source.node.address,
    strength,
    origin: grant.origin,
  };
}

/** At the receiver only addresses can be told apart: a service is refused there when nothing else shares its address. */
function receivedOf(service: MeshService, grants: readonly Grant[]): IngressRule[] {
  return grants
    .filter((grant) => grant.action === "allow" || grant.source.kind !== "service" || grant.soleAtAddress)
    .map((grant) => ingressRule(service, grant));
}

/** At the sender a service is told by its user; a node named as such speaks for any of its processes. */
function callsOf(
  service: MeshService,
  instances: readonly MeshNode[],
  grants: readonly Grant[],
): ReadonlyMap<string, readonly EgressRule[]> {
  const calls = new Map<string, EgressRule[]>();
  for (const { source, port, action, mode, origin } of grants) {
    if (source.kind === "cidr") continue;
    const sender = source.kind === "service" ? source.service : undefined;
    const rules = calls.get(source.node.name) ?? [];
    calls.set(source.node.name, rules);
    for (const node of instances)
      rules.push({
        service: sender?.name ?? "",
        user: sender?.user ?? "",
        to: service.name,
        destination: node.address,
        port,
        action,
        mode,
        origin,
      });
  }
  return calls;
}
