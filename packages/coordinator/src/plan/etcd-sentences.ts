// In: what one node is to do for the mesh's own etcd, before and after. Out: plain sentences about what changes there. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DesiredEtcdCluster, EtcdClient } from "@weft/shared/model/desired-etcd";
import { byText } from "@weft/shared/plan/text-order";
import { etcdUnit } from "@weft/shared/render/etcd-places";

type Side = Pick<DesiredContent, "etcdCluster"> | undefined;

/** Of a member. What changes for a client is a matter of its Cilium agent (cilium-sentences.ts). */
export function etcdSentences(node: string, before: Side, after: Side): string[] {
  const [old, now] = [asMember(node, before), asMember(node, after)];
  if (now === undefined)
    return old === undefined ? [] : ["the member of the mesh's own etcd that runs here goes"];
  const others = now.members
    .filter((member) => member.node !== node)
    .map((member) => member.node)
    .toSorted(byText);
  if (old === undefined) {
    const beside = others.length === 0 ? "" : `, beside ${listed(others)}`;
    return [
      `a member of the mesh's own etcd runs here (${etcdUnit})${beside}`,
      ...clientSentences([], now.clients),
    ];
  }
  const [were, are] = [old, now].map(({ members }) =>
    listed(members.map((member) => `${member.node} (${member.address})`).toSorted(byText)),
  );
  const nameOf = ({ members }: DesiredEtcdCluster) => members.find((member) => member.node === node)?.name;
  return [
    ...(nameOf(old) === nameOf(now)
      ? []
      : [
          `the member here is called ${nameOf(now)}, before: ${nameOf(old)}: etcd does not know it by that name, and nobody could ` +
            "change users or members any more; first take cilium.etcd out of the mesh file and apply",
        ]),
    ...(were === are ? [] : [`the mesh's own etcd has members on ${are}, before: ${were}`]),
    ...clientSentences(old.clients, now.clients),
  ];
}

function asMember(node: string, side: Side): DesiredEtcdCluster | undefined {
  const cluster = side?.etcdCluster;
  return cluster?.members.some((member) => member.node === node) === true ? cluster : undefined;
}

function clientSentences(before: readonly EtcdClient[], after: readonly EtcdClient[]): string[] {
  const said = (client: EtcdClient) =>
    `the Cilium agent of ${client.node} (${client.address}) in, to say who has ${listed(client.addresses) || "no address"}`;
  const [old, now] = [before, after].map((clients) => new Set(clients.map(said)));
  return [
    ...after
      .map(said)
      .filter((text) => old?.has(text) === false)
      .map((text) => `etcd lets ${text}`),
    ...before
      .map(said)
      .filter((text) => now?.has(text) === false)
      .map((text) => `etcd no longer lets ${text}`),
  ];
}

export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
