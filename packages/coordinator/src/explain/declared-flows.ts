// In: a mesh. Out: who may, or may not, open what by its policies: an edge for each pair and port. Pure.
import type { Action, Protocol } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import { resolvePolicies } from "../compile/grants.ts";
import { selectedRanges } from "../mesh/selection.ts";

export interface DeclaredFlow {
  /** Service, "node NAME" or CIDR. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly portName: string;
  readonly policy: string;
  readonly action: Action;
}

export function declaredFlows(mesh: Mesh): DeclaredFlow[] {
  return resolvePolicies(mesh).flatMap(({ policy, services, nodes, cidrs, to }) => {
    const sources = [
      ...services.map(({ name }) => name),
      ...nodes.map(({ name }) => `node ${name}`),
      ...cidrs,
    ];
    return mesh.services
      .filter(({ name }) => to.has(name))
      .flatMap((service) =>
        service.ports
          .filter((port) => selectedRanges(policy, port).length > 0)
          .flatMap((port) =>
            sources.map((source) => ({
              source,
              destination: service.name,
              protocol: port.range.protocol,
              port: port.range.from,
              portName: port.name,
              policy: policy.name,
              action: policy.action,
            })),
          ),
      );
  });
}
