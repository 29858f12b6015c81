// In: a service and the policies that lead to it. Out: which of its ports each possible caller may open, by which policy. Pure.
// The grants are the compiler's: a policy is resolved once, for nftables and for Cilium.
import type { Origin, PortRange } from "@weft/shared/model/desired";
import type { MeshNode, MeshService } from "@weft/shared/model/mesh";
import { withoutRanges } from "@weft/shared/plan/port-ranges";
import { type Grant, grantsOn, type ResolvedPolicy, type Source } from "../compile/grants.ts";

export interface Opening {
  readonly port: PortRange;
  readonly origin: Origin;
}

export interface Callers {
  /** An instance of a service: by its name, and as any process of its node, unless it is refused. */
  instance(service: string, node: string): readonly Opening[];
  /** Processes of a node that are no service. */
  host(node: string): readonly Opening[];
  /** From ranges, and everything that is refused. */
  readonly ranges: readonly Grant[];
  readonly denials: readonly Grant[];
}

function keyOf(source: Source): string {
  if (source.kind === "cidr") return `cidr ${source.cidr}`;
  return source.kind === "node"
    ? `node ${source.node.name}`
    : `service ${source.service.name} ${source.node.name}`;
}

/** Nothing is in audit where this is asked (limits.ts). */
export function callersOf(
  service: MeshService,
  leading: readonly ResolvedPolicy[],
  nodes: ReadonlyMap<string, MeshNode>,
): Callers {
  const grants = service.ports.flatMap((port) => grantsOn(nodes, port, leading, "enforce"));
  const allowed = bySource(grants.filter(({ action }) => action === "allow"));
  const denials = grants.filter(({ action }) => action === "deny");
  const denied = bySource(denials);
  const openings = (key: string, refused: readonly Grant[]): Opening[] =>
    (allowed.get(key) ?? []).flatMap(({ port, origin }) =>
      withoutRanges(
        [port],
        refused.map((denial) => denial.port),
      ).map((left) => ({ port: left, origin })),
    );
  return {
    instance(name, node) {
      const refused = denied.get(`service ${name} ${node}`) ?? [];
      return [...openings(`service ${name} ${node}`, []), ...openings(`node ${node}`, refused)];
    },
    host: (node) => openings(`node ${node}`, []),
    ranges: grants.filter(({ source, action }) => source.kind === "cidr" && action === "allow"),
    denials,
  };
}

function bySource(grants: readonly Grant[]): ReadonlyMap<string, readonly Grant[]> {
  const map = new Map<string, Grant[]>();
  for (const grant of grants) {
    const key = keyOf(grant.source);
    const known = map.get(key);
    if (known === undefined) map.set(key, [grant]);
    else known.push(grant);
  }
  return map;
}
