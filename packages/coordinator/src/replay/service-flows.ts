// In: a mesh, and two of its services. Out: the TCP connections that there can be between them, one for each pair of
// instances and each port where a verdict may begin. Pure.
import { familyOf } from "@weft/shared/model/address";
import type { PortRange } from "@weft/shared/model/desired";
import type { Mesh, MeshService } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";

/** One connection between two services: who opens it, and what. */
export interface ServiceFlow {
  readonly from: string;
  readonly fromNode: string;
  readonly user: string;
  readonly source: string;
  readonly to: string;
  readonly toNode: string;
  readonly destination: string;
  readonly portName: string;
  readonly port: number;
}

export interface FlowEnd {
  readonly service: MeshService;
  readonly portName: string;
  readonly port: number;
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) => byText(a.name, b.name);

export function servicesInOrder(mesh: Mesh): readonly MeshService[] {
  return [...mesh.services]
    .sort(byName)
    .map((service) => ({ ...service, nodes: [...new Set(service.nodes)].sort(byText) }));
}

/** Where a range of ports begins, or ends, that a policy or a service of these meshes speaks of. */
export function portStarts(meshes: readonly Mesh[]): readonly number[] {
  const ranges = meshes.flatMap(({ services, policies }) => [
    ...services.flatMap(({ ports }) => ports.map(({ range }) => range)),
    ...policies.flatMap(({ ports }) => ports?.filter((port) => typeof port !== "string") ?? []),
  ]);
  const tcp = ranges.filter(({ protocol }: PortRange) => protocol === "tcp");
  return [...new Set(tcp.flatMap(({ from, to }) => [from, to + 1]))].sort((a, b) => a - b);
}

/** The TCP ports of a service: of a range its first, and every one where a verdict may begin. */
export function flowEnds(service: MeshService, starts: readonly number[]): readonly FlowEnd[] {
  return [...service.ports]
    .sort(byName)
    .filter(({ range }) => range.protocol === "tcp")
    .flatMap(({ name, range: { from, to } }) => {
      const within = starts.filter((start) => from < start && start <= to);
      return [from, ...within].map((port) => ({ service, portName: name, port }));
    });
}

/** Between different machines first. A service's way to itself on its own machine is no flow between services. */
export function* flowsTo(
  { service: to, portName, port }: FlowEnd,
  from: MeshService,
  addresses: ReadonlyMap<string, string>,
): Generator<ServiceFlow> {
  for (const isLocal of from.name === to.name ? [false] : [false, true])
    for (const fromNode of from.nodes)
      for (const toNode of to.nodes) {
        if ((fromNode === toNode) !== isLocal) continue;
        const source = addresses.get(fromNode) ?? "";
        const destination = addresses.get(toNode) ?? "";
        if (familyOf(source) !== familyOf(destination)) continue;
        const ends = { from: from.name, fromNode, user: from.user, source };
        yield { ...ends, to: to.name, toNode, destination, portName, port };
      }
}
