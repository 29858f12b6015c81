// In: a valid mesh. Out: for each node that enforces with Cilium, the endpoints of its services and what they may. Pure.
import type { DesiredCilium, DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import type { Mesh } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { ownEndpointRules, type RuledService } from "../cilium/endpoint-rules.ts";
import { endpointAddresses } from "./endpoint-addresses.ts";
import { inOrder } from "./order.ts";

/** By node. */
export type MeshEndpoints = ReadonlyMap<string, DesiredCilium>;

export function meshEndpoints(mesh: Mesh): MeshEndpoints {
  const shared = mesh.cilium;
  if (shared === undefined) return new Map();
  const etcd = "nodes" in shared.etcd ? undefined : shared.etcd;
  const { nodes } = ownEndpointRules(mesh);
  return new Map(
    mesh.nodes.flatMap(({ name, range }) => {
      const ruled = nodes.get(name);
      if (ruled === undefined || range === undefined) return [];
      const endpoints = endpointsIn(range, ruled);
      return [[name, { etcd, range, ranges: shared.ranges, endpoints }] as const];
    }),
  );
}

function endpointsIn(range: string, ruled: readonly RuledService[]): DesiredEndpoint[] {
  const addresses = endpointAddresses(
    range,
    ruled.map(({ service }) => service.name),
  );
  return ruled.flatMap(({ service, rules }) => {
    const { name, spiffeId, unit, ports } = service;
    const address = addresses.get(name);
    if (unit === undefined || address === undefined) return [];
    return [
      { service: name, spiffeId, unit, address, ports: inOrder(ports.map((each) => each.range)), rules },
    ];
  });
}

/** Sorted; undefined: none. */
export function addressesOf(cilium: DesiredCilium | undefined): readonly string[] | undefined {
  const addresses = cilium?.endpoints.map(({ address }) => address).sort(byText) ?? [];
  return addresses.length === 0 ? undefined : addresses;
}
