// In: a valid mesh. Out: the registration entries it needs: one per service and node, and those of its own etcd. Pure; sorted
// by ID.
import { spireAgentId } from "@weft/shared/model/ids";
import type { Mesh } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { ownEtcd } from "../mesh/own-etcd.ts";
import { ciliumNodes, etcdNodes } from "../mesh/selection.ts";
import { etcdClientEntry, etcdMemberEntry } from "../spire/etcd-entry.ts";
import type { RegistrationEntry } from "../spire/spire-server.ts";

export function registrationEntries(mesh: Mesh): RegistrationEntry[] {
  const nodes = new Set(mesh.nodes.map(({ name }) => name));
  return mesh.services
    .filter(({ name }) => name !== ownEtcd)
    .flatMap((service): RegistrationEntry[] =>
      service.nodes
        .filter((node) => nodes.has(node))
        .map((node) => ({
          id: `weft.${node}.${service.name}`,
          spiffeId: service.spiffeId,
          parentId: spireAgentId(mesh.trustDomain, node),
          selectors: [
            { type: "unix", value: `user:${service.user}` },
            ...(service.unit === undefined ? [] : [{ type: "systemd", value: `id:${service.unit}` }]),
          ],
        })),
    )
    .concat(etcdEntries(mesh, nodes))
    .sort((a, b) => byText(a.id, b.id));
}

/** For their agents, not for etcd and Cilium themselves, which speak no Workload API. */
function etcdEntries(mesh: Mesh, nodes: ReadonlySet<string>): RegistrationEntry[] {
  const { trustDomain, dns } = mesh;
  const members = etcdNodes(mesh);
  if (members.length === 0) return [];
  return [
    ...members.filter((node) => nodes.has(node)).map((node) => etcdMemberEntry(trustDomain, node, dns.zone)),
    ...[...ciliumNodes(mesh)].map((node) => etcdClientEntry(trustDomain, node)),
  ];
}
