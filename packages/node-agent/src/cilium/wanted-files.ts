// In: what a node's part of Cilium is to be, and the machine it is on. Out: the files its agent and its services' namespaces
// start from. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DesiredCilium, DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { agentEtcd } from "@weft/shared/render/agent-etcd";
import {
  renderAgentEnvironment,
  renderAgentOptions,
  renderEtcdConfig,
} from "@weft/shared/render/cilium-agent-options";
import { type EndpointGround, renderEndpointFile } from "@weft/shared/render/cilium-endpoint-link";
import { ciliumPlaces } from "@weft/shared/render/cilium-places";
import { parseResolvConf, renderEndpointResolvConf } from "@weft/shared/render/resolv-conf";
import type { WantedFiles } from "./agent-files.ts";
import type { MachineGround } from "./machine-ground.ts";

/** The agent reads them at its start alone. */
export function agentFiles(
  content: Pick<DesiredContent, "mesh" | "node" | "address" | "etcdCluster">,
  cilium: DesiredCilium,
  { device, programs }: Pick<MachineGround, "device" | "programs">,
): WantedFiles {
  const options = renderAgentOptions({ ...content, cilium, device });
  return new Map([
    ...Object.entries(options).map(([name, value]) => [`${ciliumPlaces.options}/${name}`, value] as const),
    [ciliumPlaces.etcd, renderEtcdConfig(agentEtcd(cilium, content))],
    [ciliumPlaces.environment, renderAgentEnvironment(content.node)],
    // other programs are started as other options are
    [ciliumPlaces.started, programs],
  ]);
}

/** What a namespace is made from. @param mtu of the machine's link */
export function namespaceText(
  content: Pick<DesiredContent, "node" | "address" | "dns">,
  endpoint: DesiredEndpoint,
  mtu: number,
): string {
  return renderEndpointFile({ ...endpointGround(content), mtu }, endpoint);
}

/** @param own the machine's, whose search list holds in namespaces, too */
export function resolvConfFiles({ address }: Pick<DesiredContent, "address">, own: string): WantedFiles {
  return new Map([[ciliumPlaces.resolvConf, renderEndpointResolvConf(address, parseResolvConf(own))]]);
}

export function endpointGround({
  node,
  address,
  dns,
}: Pick<DesiredContent, "node" | "address" | "dns">): EndpointGround {
  return { node, resolver: dns.mode === "off" ? undefined : address };
}
