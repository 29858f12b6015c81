// In: a change. Out: DNS servers that nodes ask by the mesh file's word, and that it names no longer. Pure. While the file
// names none a node asks those it had: naming some takes nothing away that was guarded.
import { meshPlace } from "./mesh-place.ts";
import type { MeshChange, Risk } from "./risk.ts";

export function upstreamRisks({ before, after, members }: MeshChange): Risk[] {
  if (before === undefined) return [];
  return [...before.contents].flatMap(([node, content]) => {
    const now = after.contents.get(node);
    if (now === undefined || !members.has(node)) return [];
    const kept = new Set(now.policy.guard.upstreams);
    const instead =
      kept.size === 0
        ? "the servers each node had are asked instead, unguarded"
        : `asked instead: ${[...kept].join(", ")}`;
    return content.policy.guard.upstreams
      .filter((upstream) => !kept.has(upstream))
      .map((upstream) => ({
        code: "GUARD-UPSTREAM" as const,
        node,
        text: `the DNS server ${upstream} is not kept open any more; ${instead}`,
        place: meshPlace(after.mesh, "dns/upstreams", "dns"),
      }));
  });
}
