// In: what one node is to be. Out: what it knows of the mesh's own etcd, as text: members and clients by their names there. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";

export function etcdText({ etcdCluster }: Pick<DesiredContent, "etcdCluster">): string {
  if (etcdCluster === undefined) return "";
  const { members, clients } = etcdCluster;
  return [
    ...members.map(({ node, address, name }) => `etcd member ${node} ${address} ${name}\n`),
    ...clients.map(({ node, address, name, range }) => `etcd client ${node} ${address} ${name} ${range}\n`),
  ].join("");
}
