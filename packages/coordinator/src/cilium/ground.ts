// In: a valid mesh and the nodes taken to enforce with Cilium. Out: what their rules are made from. Pure.
import { covers } from "@weft/shared/model/address";
import type { Mesh, MeshNode, MeshService } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { type ResolvedPolicy, resolvePolicies } from "../compile/grants.ts";
import { type Callers, callersOf } from "./callers.ts";

export interface Ground {
  readonly mesh: Mesh;
  readonly nodes: ReadonlyMap<string, MeshNode>;
  /** By name. */
  readonly cilium: ReadonlySet<string>;
  /** By node. */
  readonly servicesOn: ReadonlyMap<string, readonly MeshService[]>;
  readonly callers: ReadonlyMap<string, Callers>;
  /** Policies about places outside the mesh. */
  readonly outgoing: readonly ResolvedPolicy[];
}

export function groundOf(mesh: Mesh, cilium: ReadonlySet<string>): Ground {
  const nodes = new Map(mesh.nodes.map((node) => [node.name, node]));
  const policies = resolvePolicies(mesh);
  const callers = mesh.services.map((service) => {
    const leading = policies.filter(({ to }) => to.has(service.name));
    return [service.name, callersOf(service, leading, nodes)] as const;
  });
  const servicesOn = new Map<string, MeshService[]>(mesh.nodes.map(({ name }) => [name, []]));
  for (const service of mesh.services)
    for (const node of new Set(service.nodes)) servicesOn.get(node)?.push(service);
  return {
    mesh,
    nodes,
    cilium,
    servicesOn,
    callers: new Map(callers),
    outgoing: policies.filter(({ policy }) => policy.to.some(({ kind }) => kind === "cidr")),
  };
}

/** Where a service has an endpoint. */
export function endpointNodes({ cilium }: Ground, service: MeshService): string[] {
  return service.nodes.filter((node) => cilium.has(node));
}

/** Addresses of nodes inside a range: it never speaks for them, except to deny. */
export function nodesInside({ mesh }: Ground, range: string): string[] {
  return mesh.nodes
    .map(({ address }) => address)
    .filter((address) => covers(range, address))
    .sort(byText);
}
