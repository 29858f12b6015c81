// In: a service on a node taken to enforce with Cilium. Out: what its endpoint may open and may not, and what of it cannot be
// said in Cilium's terms. Pure. A range is a matter of addresses, and endpoints have none that the mesh file knows: where a
// denied range covers a node, its services are taken out of what is allowed.
import { covers } from "@weft/shared/model/address";
import type { CiliumPeer } from "@weft/shared/model/cilium-policy";
import type { Origin, PortRange } from "@weft/shared/model/desired";
import type { MeshNode, MeshService, Problem } from "@weft/shared/model/mesh";
import { withoutRanges } from "@weft/shared/plan/port-ranges";
import type { ResolvedPolicy } from "../compile/grants.ts";
import { errorAt, fieldPlace } from "../mesh/problem.ts";
import type { Opening } from "./callers.ts";
import { endpointNodes, type Ground, nodesInside } from "./ground.ts";
import { nodePeer, type Said, sayTheSame, servicePeer } from "./incoming.ts";
import { noOrigin, RuleList } from "./rule-list.ts";

/** Of TCP and UDP, as far as policies say so; undefined: everything. */
function portsOf({ policy }: ResolvedPolicy): readonly PortRange[] | undefined {
  return policy.ports?.filter((port) => typeof port !== "string");
}

const targetsOf = ({ policy }: ResolvedPolicy): string[] =>
  policy.to.flatMap((to) => (to.kind === "cidr" ? [to.cidr] : []));

export function outgoingOf(ground: Ground, service: MeshService, own: MeshNode): Said {
  const list = new RuleList("egress");
  const problems: Problem[] = [];
  const leaving = ground.outgoing.filter(({ services }) => services.includes(service));
  const denials = leaving.filter(({ policy }) => policy.action === "deny");
  const mine = new Map(
    ground.mesh.services.map(({ name }) => [
      name,
      ground.callers.get(name)?.instance(service.name, own.name) ?? [],
    ]),
  );
  const openings = (target: MeshService, node: string) =>
    openingsAt(ground, mine.get(target.name) ?? [], node, denials);
  for (const target of ground.mesh.services) {
    const places = endpointNodes(ground, target);
    const each = places.map((node) => openings(target, node));
    if (!sayTheSame(each)) problems.push(...partlyCut(service, target, places, denials));
    else for (const { port, origin } of each.flat()) list.add("allow", servicePeer(target), port, origin);
    for (const name of target.nodes.filter((each) => !ground.cilium.has(each))) {
      const node = ground.nodes.get(name);
      if (node === undefined) continue;
      for (const { port, origin } of openings(target, name))
        list.add("allow", nodePeer(node, own), port, origin);
    }
  }
  for (const resolved of leaving)
    for (const cidr of targetsOf(resolved)) {
      const { action } = resolved.policy;
      // its own machine's resolver is no place outside the mesh
      const except = nodesInside(ground, cidr).filter(
        (address) => action === "allow" || address === own.address,
      );
      const peer: CiliumPeer = { kind: "range", cidr, except };
      for (const port of portsOf(resolved) ?? [undefined]) list.add(action, peer, port, resolved.origin);
    }
  if (ground.mesh.defaults.egress === "allow") openWorld(ground, own, list, openings);
  openResolver(ground, own, list);
  return { rules: list.rules, problems };
}

/** Of one instance of a service, what may be opened from here. @param mine of any of its instances, if no range is denied */
function openingsAt(
  { nodes }: Ground,
  mine: readonly Opening[],
  name: string,
  denials: readonly ResolvedPolicy[],
): readonly Opening[] {
  const address = nodes.get(name)?.address;
  if (address === undefined) return [];
  if (denials.length === 0) return mine;
  const cutting = denials.filter((denial) => targetsOf(denial).some((cidr) => covers(cidr, address)));
  return mine.flatMap(({ port, origin }) =>
    cutting
      .reduce<PortRange[]>((left, denial) => withoutRanges(left, portsOf(denial)), [port])
      .map((left) => ({ port: left, origin })),
  );
}

/** Everything but its own machine, and but the ports that services declare and no policy opens to it. */
function openWorld(
  { mesh, servicesOn }: Ground,
  own: MeshNode,
  list: RuleList,
  openings: (target: MeshService, node: string) => readonly Opening[],
): void {
  const place = mesh.places?.["defaults/egress"];
  const origin: Origin = place === undefined ? noOrigin : { policy: "", file: place.file, line: place.line };
  for (const cidr of ["0.0.0.0/0", "::/0"]) {
    const except = covers(cidr, own.address) ? [own.address] : [];
    list.add("allow", { kind: "range", cidr, except }, undefined, origin, "defaults: { egress: allow }");
  }
  for (const node of mesh.nodes) {
    if (node.name === own.name) continue;
    for (const target of servicesOn.get(node.name) ?? []) {
      const open = openings(target, node.name).map(({ port }) => port);
      for (const closed of target.ports.flatMap(({ range }) => withoutRanges([range], open)))
        list.add("deny", nodePeer(node, own), closed, noOrigin, "declared ports that no policy opens to it");
    }
  }
}

function openResolver({ mesh }: Ground, own: MeshNode, list: RuleList): void {
  if ((own.dnsMode ?? mesh.dns.mode) === "off") return;
  for (const protocol of ["tcp", "udp"] as const)
    list.add(
      "allow",
      { kind: "host" },
      { protocol, from: 53, to: 53 },
      noOrigin,
      "names: the resolver of its node",
    );
}

function partlyCut(
  service: MeshService,
  target: MeshService,
  places: readonly string[],
  denials: readonly ResolvedPolicy[],
): Problem[] {
  return denials.map(({ policy }) =>
    errorAt(
      fieldPlace(policy, "to"),
      `service "${service.name}" would reach "${target.name}" on some of ${places.join(" and ")} and not on others, ` +
        "and Cilium knows its instances by one identity, not by the addresses of their nodes",
      { allowed: "a range that covers all of these nodes or none" },
    ),
  );
}
