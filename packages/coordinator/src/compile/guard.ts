// In: a mesh, one of its nodes, and the ranges its rules speak of. Out: the guards of that node. Pure.
import { cidrContains, parseCidr } from "@weft/shared/model/address";
import type { Guard, PortRange } from "@weft/shared/model/desired";
import type { Mesh, MeshNode } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { inOrder } from "./order.ts";

/** Where the coordinator is to be found. */
export interface CoordinatorPlace {
  readonly node: string;
  readonly address: string;
  readonly agentPort: number;
  readonly enrolmentPort: number;
  readonly spirePort: number;
}

export type CoveredAddresses = (ranges: readonly string[]) => readonly string[];

/** Node addresses inside any of some ranges, sorted. Most nodes ask for the same few ranges. */
export function coveredAddresses(nodes: readonly MeshNode[]): CoveredAddresses {
  const addresses = nodes.flatMap(({ address }) => {
    const cidr = parseCidr(address);
    return cidr === undefined ? [] : [{ address, cidr }];
  });
  addresses.sort((a, b) => byText(a.address, b.address));
  const known = new Map<string, readonly string[]>();
  return (ranges) => {
    const wanted = [...new Set(ranges)].sort(byText);
    const key = wanted.join(" ");
    const blocks = wanted.flatMap((text) => parseCidr(text) ?? []);
    const found =
      known.get(key) ??
      addresses
        .filter(({ cidr }) => blocks.some((block) => cidrContains(block, cidr)))
        .map(({ address }) => address);
    known.set(key, found);
    return found;
  };
}

export function guardOf(
  mesh: Mesh,
  node: MeshNode,
  coordinator: CoordinatorPlace,
  covering: readonly string[],
  covered: CoveredAddresses,
): Guard {
  const tcp = (port: number): PortRange => ({ protocol: "tcp", from: port, to: port });
  const isCoordinator = node.name === coordinator.node;
  return {
    admin: [...new Set(mesh.guard.admin)].sort(byText),
    ports: inOrder(mesh.guard.ports),
    coordinatorAddress: coordinator.address,
    coordinatorPorts: [
      tcp(coordinator.agentPort),
      tcp(coordinator.enrolmentPort),
      tcp(coordinator.spirePort),
    ],
    isCoordinator,
    nodeAddresses: isCoordinator ? covered(["0.0.0.0/0", "::/0"]) : covered(covering),
    upstreams: [...new Set(mesh.dns.upstreams)].sort(byText),
    // no word of the mesh file: compile/bans.ts
    banned: [],
  };
}
