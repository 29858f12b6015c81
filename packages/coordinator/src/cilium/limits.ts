// In: a valid mesh and the nodes taken to enforce with Cilium. Out: what Cilium 1.18 cannot carry in the same words, each where
// it is written, and why. Pure. What depends on how policies meet is found where rules are made (incoming.ts, outgoing.ts).
import { portsOfMachines } from "@weft/shared/model/endpoint-limits";
import type { Mesh, MeshPolicy, MeshService, Problem } from "@weft/shared/model/mesh";
import { errorAt, fieldPlace, warningAt } from "../mesh/problem.ts";
import { placeAt } from "../mesh/rules/surroundings.ts";
import { baselineOn, etcdNodes, formatRange, intersect, selectedServices } from "../mesh/selection.ts";

export function limitsOf(mesh: Mesh, cilium: ReadonlySet<string>): Problem[] {
  const onCilium = (service: MeshService) => service.nodes.some((node) => cilium.has(node));
  return [
    ...meshInAudit(mesh),
    ...mesh.policies.filter(({ mode }) => mode === "audit").map(policyInAudit),
    ...mesh.policies.filter((policy) => pings(mesh, policy, cilium, onCilium)).map(aboutPing),
    ...mesh.nodes.filter(({ name }) => cilium.has(name)).flatMap((node) => closedNode(mesh, node)),
    ...membersOnCilium(mesh, cilium),
    ...mesh.services
      .filter(onCilium)
      .flatMap((service) => [...ofMachine(service), ...guarded(mesh, service), ...unitless(service)]),
  ];
}

const enforceInstead = "mode: enforce, or these nodes on nftables until the trial is over";

function meshInAudit(mesh: Mesh): Problem[] {
  const place = mesh.places?.["defaults/mode"] ?? mesh.places?.[""];
  if (mesh.defaults.mode !== "audit" || place === undefined) return [];
  return [
    errorAt(
      place,
      "Cilium 1.18 tries out nothing by port or policy: its audit mode is of a whole agent or endpoint, and lets everything pass",
      { allowed: enforceInstead },
    ),
  ];
}

/** Also where it leads to nftables: whoever calls a port on trial passes, services with an endpoint, too. */
function policyInAudit(policy: MeshPolicy): Problem {
  return errorAt(
    fieldPlace(policy, "mode"),
    `policy "${policy.name}" is in audit, and Cilium 1.18 has audit for a whole agent or endpoint alone, not for a policy`,
    { allowed: enforceInstead },
  );
}

function pings(
  mesh: Mesh,
  policy: MeshPolicy,
  cilium: ReadonlySet<string>,
  onCilium: (service: MeshService) => boolean,
): boolean {
  return (
    policy.icmp === true &&
    policy.to.some(
      (to) => (to.kind === "node" && cilium.has(to.name)) || selectedServices(mesh, to).some(onCilium),
    )
  );
}

function aboutPing(policy: MeshPolicy): Problem {
  return errorAt(
    fieldPlace(policy, "ports"),
    `policy "${policy.name}" speaks of pings to the address of a node with Cilium, which is a matter of its host firewall, ` +
      "and these files are about services' endpoints",
    { allowed: "ports alone, or these nodes on nftables" },
  );
}

function closedNode(mesh: Mesh, node: Mesh["nodes"][number]): Problem[] {
  const { closedBy } = baselineOn(mesh, node);
  if (closedBy === undefined) return [];
  return [
    errorAt(
      closedBy.place,
      `the baseline closes node "${node.name}", whose undeclared ports are a matter of Cilium's host firewall, ` +
        "and these files are about services' endpoints",
      { allowed: `nodes: without ${node.name}, or ${node.name} on nftables` },
    ),
  ];
}

/** An agent gives no endpoint its address before it has reached etcd. */
function membersOnCilium(mesh: Mesh, cilium: ReadonlySet<string>): Problem[] {
  return etcdNodes(mesh)
    .map((node, index) => ({ node, place: placeAt(mesh, `cilium/etcd/nodes/${index}`, "cilium") }))
    .filter(({ node }) => cilium.has(node))
    .map(({ node, place }) =>
      errorAt(place, `node "${node}" enforces with Cilium, which would need this etcd to begin with`, {
        allowed: "etcd runs on nodes that enforce with nftables",
      }),
    );
}

function ofMachine(service: MeshService): Problem[] {
  return service.ports.flatMap(({ name, range }) => {
    const taken = portsOfMachines.find((port) => intersect(port, range) !== undefined);
    if (taken === undefined) return [];
    return [
      errorAt(
        fieldPlace(service, `ports/${name}`),
        `port ${formatRange(range)} would be an endpoint's, and ${formatRange(taken)} stays the machine's: SSH, its resolver, the coordinator`,
        { allowed: "another port, or these nodes on nftables" },
      ),
    ];
  });
}

/** An administrator's way to such a port is a guard: it comes before policies, and nothing in Cilium comes before a denial. */
function guarded(mesh: Mesh, service: MeshService): Problem[] {
  if (mesh.guard.admin.length === 0) return [];
  return service.ports
    .filter(({ range }) => mesh.guard.ports.some((guard) => intersect(guard, range) !== undefined))
    .map(({ name, range }) =>
      errorAt(
        fieldPlace(service, `ports/${name}`),
        `port ${formatRange(range)} is a guard port, too: with Cilium it is the endpoint's, whom no guard opens, not the machine's`,
        { allowed: "a port that is no guard port" },
      ),
    );
}

function unitless(service: MeshService): Problem[] {
  if (service.unit !== undefined) return [];
  return [
    warningAt(
      service.place,
      `service "${service.name}" names no unit: a network namespace of its own, and so an endpoint, can be given to a unit alone`,
      { allowed: "unit: NAME.service" },
    ),
  ];
}
