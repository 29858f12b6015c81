// In: a policy whose `to` are ranges. Out: what each node's services may, or may not, open outside the mesh. Pure.
import type { EgressRule, PortRange } from "@weft/shared/model/desired";
import type { MeshNode } from "@weft/shared/model/mesh";
import type { ResolvedPolicy } from "./grants.ts";

/** By node. */
export function outsideOf(
  { policy, services, mode, origin }: ResolvedPolicy,
  nodes: ReadonlyMap<string, MeshNode>,
): ReadonlyMap<string, readonly EgressRule[]> {
  const ranges: readonly (PortRange | undefined)[] = policy.ports?.filter(
    (port) => typeof port !== "string",
  ) ?? [undefined];
  const targets = [...new Set(policy.to.flatMap((to) => (to.kind === "cidr" ? [to.cidr] : [])))];
  const byNode = new Map<string, EgressRule[]>();
  for (const service of services) {
    const rules = targets.flatMap((cidr) =>
      ranges.map(
        (port): EgressRule => ({
          service: service.name,
          user: service.user,
          to: cidr,
          destination: cidr,
          port,
          action: policy.action,
          mode,
          origin,
        }),
      ),
    );
    for (const node of service.nodes)
      if (nodes.has(node)) byNode.set(node, [...(byNode.get(node) ?? []), ...rules]);
  }
  return byNode;
}
