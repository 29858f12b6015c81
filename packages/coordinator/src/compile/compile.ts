// In: a valid mesh and where its coordinator is. Out: what each node is to be. Pure: no clock, no randomness, and the
// order of the file does not show.
import type { DesiredContent, Workload } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import { compileRecords } from "./names.ts";
import { byText } from "./order.ts";
import { type CoordinatorPlace, compilePolicies } from "./policy.ts";

export type { CoordinatorPlace } from "./policy.ts";

export function compileMesh(mesh: Mesh, coordinator: CoordinatorPlace): Map<string, DesiredContent> {
  const policies = compilePolicies(mesh, coordinator);
  const records = compileRecords(mesh);
  const workloads = workloadsByNode(mesh);
  const content = new Map<string, DesiredContent>();
  for (const node of [...mesh.nodes].sort((a, b) => byText(a.name, b.name))) {
    const policy = policies.get(node.name);
    if (policy === undefined) continue;
    content.set(node.name, {
      mesh: mesh.name,
      trustDomain: mesh.trustDomain,
      node: node.name,
      address: node.address,
      identity: {
        spireServerAddress: coordinator.address,
        spireServerPort: coordinator.spirePort,
        workloads: workloads.get(node.name) ?? [],
      },
      policy,
      dns: {
        zone: mesh.dns.zone,
        mode: node.dnsMode ?? mesh.dns.mode,
        upstreams: [...new Set(mesh.dns.upstreams)],
        records,
      },
    });
  }
  return content;
}

function workloadsByNode(mesh: Mesh): ReadonlyMap<string, Workload[]> {
  const map = new Map<string, Workload[]>();
  for (const { name, spiffeId, user, unit, nodes } of [...mesh.services].sort((a, b) =>
    byText(a.name, b.name),
  ))
    for (const node of nodes) {
      const workloads = map.get(node) ?? [];
      workloads.push({ service: name, spiffeId, user, unit });
      map.set(node, workloads);
    }
  return map;
}
