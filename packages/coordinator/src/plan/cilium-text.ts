// In: what one node is to be. Out: what it makes of its Cilium part, as text: the agent, its endpoints, its policy files. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import { agentEtcd } from "@weft/shared/render/agent-etcd";
import { renderCiliumPolicy } from "@weft/shared/render/cilium-policy";

export function ciliumText({ mesh, node, cilium, etcdCluster }: DesiredContent): string {
  if (cilium === undefined) return "";
  const { range, ranges, endpoints } = cilium;
  const etcd = agentEtcd(cilium, { etcdCluster });
  const files = [etcd.ca, etcd.certificate, etcd.key].flatMap((path) => path ?? []);
  return [
    `cilium range ${range} of ${ranges} etcd ${[...etcd.members, ...files].join(" ")}\n`,
    ...endpoints.map(({ service, spiffeId, unit, address, rules }) => {
      const { name, text } = renderCiliumPolicy({ mesh, node, service, spiffeId, rules });
      const lines = text.trimEnd().split("\n");
      return `endpoint ${service} ${address} ${unit}\nfile ${name}\n${lines.map((line) => `  ${line}\n`).join("")}`;
    }),
  ].join("");
}
