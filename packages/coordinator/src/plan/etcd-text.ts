// In: what one node is to be. Out: what it makes of its part in the mesh's own etcd, as text: members and clients by their names there,
// and what a member has on its machine. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import { etcdPlaces, etcdUnit, memberSvidFiles } from "@weft/shared/render/etcd-places";

export function etcdText({ node: own, etcdCluster }: Pick<DesiredContent, "node" | "etcdCluster">): string {
  if (etcdCluster === undefined) return "";
  const { members, clients } = etcdCluster;
  const files = [etcdPlaces.data, ...Object.values(memberSvidFiles)];
  return [
    ...members.map(({ node, address, name }) => `etcd member ${node} ${address} ${name}\n`),
    ...clients.map(
      ({ node, address, name, addresses }) =>
        `${["etcd client", node, address, name, ...addresses].join(" ")}\n`,
    ),
    ...(members.some(({ node }) => node === own) ? [`etcd here ${etcdUnit} ${files.join(" ")}\n`] : []),
  ].join("");
}
