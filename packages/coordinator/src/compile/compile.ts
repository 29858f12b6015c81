// In: a valid mesh and where its coordinator is. Out: what each node is to be. Pure: no clock, no randomness, and the
// order of the file does not show. A memory of the last compilation saves work and changes nothing.
import type { DesiredContent, DesiredPolicy, Workload } from "@weft/shared/model/desired";
import type { DesiredCilium } from "@weft/shared/model/desired-cilium";
import type { Mesh } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { CompileMemory } from "./compile-memory.ts";
import { addressesOf, meshEndpoints } from "./endpoints.ts";
import { etcdClusters } from "./etcd-cluster.ts";
import type { CoordinatorPlace } from "./guard.ts";
import { compileRecords } from "./names.ts";
import { nodePolicies } from "./policy.ts";

export type { CoordinatorPlace } from "./guard.ts";

export function compileMesh(
  mesh: Mesh,
  coordinator: CoordinatorPlace,
  memory: CompileMemory = new CompileMemory(),
): Map<string, DesiredContent> {
  const policies = nodePolicies(mesh, coordinator, memory);
  const endpoints = meshEndpoints(mesh);
  const plain = memory.same(compileRecords(mesh));
  const leading = endpoints.size === 0 ? plain : memory.same(compileRecords(mesh, endpoints));
  const clusters = etcdClusters(mesh, endpoints);
  const workloads = workloadsByNode(mesh);
  const common = memory.same([
    mesh.name,
    mesh.trustDomain,
    mesh.dns,
    mesh.guard,
    mesh.defaults,
    mesh.baseline,
    coordinator,
    // a range may come to cover any node
    mesh.nodes.map(({ name, address }) => [name, address]),
  ]);
  const content = new Map<string, DesiredContent>();
  for (const node of [...mesh.nodes].sort((a, b) => byText(a.name, b.name))) {
    const policy = policies.get(node.name);
    if (policy === undefined) continue;
    const found = endpoints.get(node.name);
    const cilium = found === undefined ? undefined : memory.same(found);
    const records = cilium === undefined ? plain : leading;
    const cluster = clusters.get(node.name);
    const etcdCluster = cluster === undefined ? undefined : memory.same(cluster);
    const own = memory.same([node.labels, node.dnsMode, workloads.get(node.name) ?? []]);
    const made = memory.content(
      node.name,
      [common, records, own, cilium, etcdCluster, ...policy.parts],
      () => ({
        mesh: mesh.name,
        trustDomain: mesh.trustDomain,
        node: node.name,
        address: node.address,
        identity: {
          spireServerAddress: coordinator.address,
          spireServerPort: coordinator.spirePort,
          workloads: workloads.get(node.name) ?? [],
        },
        policy: withEndpoints(policy.make(), cilium),
        dns: {
          zone: mesh.dns.zone,
          mode: node.dnsMode ?? mesh.dns.mode,
          upstreams: [...new Set(mesh.dns.upstreams)],
          records,
        },
        ...(cilium === undefined ? {} : { cilium }),
        ...(etcdCluster === undefined ? {} : { etcdCluster }),
      }),
    );
    content.set(node.name, made);
  }
  memory.next(content);
  return content;
}

function withEndpoints(policy: DesiredPolicy, cilium: DesiredCilium | undefined): DesiredPolicy {
  const endpoints = addressesOf(cilium);
  return endpoints === undefined ? policy : { ...policy, endpoints };
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
