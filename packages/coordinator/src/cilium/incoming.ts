// In: a service on a node taken to enforce with Cilium. Out: whom its endpoint lets in and refuses, and what of it cannot be
// said in Cilium's terms. Pure. Refusals of services and nodes are taken out of what is allowed already, as in the compiler:
// rules that deny say them again, by name. Refusals of ranges stand in rules alone.
import type { CiliumPeer, CiliumRule } from "@weft/shared/model/cilium-policy";
import type { MeshNode, MeshService, Problem } from "@weft/shared/model/mesh";
import { canonicalText } from "@weft/shared/plan/canonical";
import { joinRanges } from "@weft/shared/plan/port-ranges";
import { errorAt, fieldPlace } from "../mesh/problem.ts";
import type { Callers, Opening } from "./callers.ts";
import { endpointNodes, type Ground, nodesInside } from "./ground.ts";
import { RuleList } from "./rule-list.ts";

export interface Said {
  readonly rules: readonly CiliumRule[];
  readonly problems: readonly Problem[];
}

export function incomingOf(ground: Ground, service: MeshService, own: MeshNode): Said {
  const callers = ground.callers.get(service.name);
  if (callers === undefined) return { rules: [], problems: [] };
  const list = new RuleList("ingress");
  const problems: Problem[] = [];
  for (const caller of ground.mesh.services) {
    const places = endpointNodes(ground, caller);
    const each = places.map((node) => callers.instance(caller.name, node));
    if (!sayTheSame(each)) problems.push(...partlyLetIn(ground, service, caller, places, each));
    else for (const { port, origin } of each.flat()) list.add("allow", servicePeer(caller), port, origin);
  }
  for (const node of ground.mesh.nodes)
    for (const { port, origin } of atAddress(ground, callers, node))
      list.add("allow", nodePeer(node, own), port, origin);
  for (const { source, port, origin } of callers.ranges)
    if (source.kind === "cidr")
      list.add(
        "allow",
        { kind: "range", cidr: source.cidr, except: nodesInside(ground, source.cidr) },
        port,
        origin,
      );
  for (const { source, port, origin } of callers.denials) {
    if (source.kind === "cidr")
      list.add("deny", { kind: "range", cidr: source.cidr, except: [] }, port, origin);
    else if (source.kind === "node") list.add("deny", nodePeer(source.node, own), port, origin);
    else if (endpointNodes(ground, source.service).length > 0)
      list.add("deny", servicePeer(source.service), port, origin);
  }
  return { rules: list.rules, problems };
}

/** What a node's address may open: where services have no endpoints, whatever any of them may. */
function atAddress({ servicesOn, cilium }: Ground, callers: Callers, { name }: MeshNode): Opening[] {
  const there = cilium.has(name) ? [] : (servicesOn.get(name) ?? []);
  return [...callers.host(name), ...there.flatMap((service) => callers.instance(service.name, name))];
}

export function servicePeer({ name, spiffeId }: MeshService): CiliumPeer {
  return { kind: "service", service: name, spiffeId };
}

export function nodePeer({ name, address }: MeshNode, own: MeshNode): CiliumPeer {
  return name === own.name ? { kind: "host" } : { kind: "node", node: name, address };
}

export function sayTheSame(each: readonly (readonly Opening[])[]): boolean {
  return (
    new Set(each.map((openings) => canonicalText(joinRanges(openings.map(({ port }) => port))))).size <= 1
  );
}

function partlyLetIn(
  { mesh }: Ground,
  service: MeshService,
  caller: MeshService,
  places: readonly string[],
  each: readonly (readonly Opening[])[],
): Problem[] {
  const names = new Set(each.flat().map(({ origin }) => origin.policy));
  return mesh.policies
    .filter(({ name }) => names.has(name))
    .map((policy) =>
      errorAt(
        fieldPlace(policy, "from"),
        `service "${service.name}" is not reached alike by the instances of "${caller.name}" on ${places.join(" and ")}, ` +
          "and Cilium knows them by one identity: what one may, the other may",
        { allowed: `from: [${caller.name}], or only one of these nodes with Cilium` },
      ),
    );
}
