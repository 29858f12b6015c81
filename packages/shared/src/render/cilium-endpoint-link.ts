// In: a node and an endpoint of a service. Out: its link's name and hardware addresses, the file that weft-netns makes the
// namespace from, and what moves the service's unit into it. Pure; the same every time, so that what is lost comes back as
// the agent of Cilium knows it.
import type { DesiredEndpoint } from "../model/desired-cilium.ts";
import {
  ciliumPlaces,
  endpointLinkPrefix,
  namespacePath,
  namespaceUnit,
  routerAddress,
} from "./cilium-places.ts";
import { shortHash } from "./short-hash.ts";

export interface EndpointLink {
  /** Of the machine's side; at most 15 characters. */
  readonly name: string;
  readonly outsideMac: string;
  readonly insideMac: string;
}

export function endpointLink(node: string, service: string): EndpointLink {
  return {
    name: `${endpointLinkPrefix}${shortHash(service, 12)}`,
    outsideMac: macOf(`${node} ${service} outside`),
    insideMac: macOf(`${node} ${service} inside`),
  };
}

/** Locally administered, of one machine. */
function macOf(text: string): string {
  return `02:${shortHash(text, 10).match(/../g)?.join(":")}`;
}

export interface EndpointGround {
  readonly node: string;
  /** Address of the node, where its services ask for names; undefined: they ask nobody of ours. */
  readonly resolver: string | undefined;
  /** undefined: that of the link of the default route, when the namespace is made. */
  readonly mtu?: number;
}

export function renderEndpointFile(
  { node, resolver, mtu }: EndpointGround,
  { service, address }: Pick<DesiredEndpoint, "service" | "address">,
): string {
  const { name, outsideMac, insideMac } = endpointLink(node, service);
  const lines = [
    `LINK=${name}`,
    `OUTSIDE_MAC=${outsideMac}`,
    `INSIDE_MAC=${insideMac}`,
    `ADDRESS=${address}`,
    `GATEWAY=${routerAddress}`,
    ...(resolver === undefined ? [] : [`RESOLVER=${resolver}`]),
    ...(mtu === undefined ? [] : [`MTU=${mtu}`]),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * Drop-in of the service's unit. With these powers it could give its link another address, hardware address or route, or
 * leave its namespace: then it would be the machine, and no endpoint. It wants its namespace's unit and does not require it: a
 * unit that failed once at boot would keep the service from ever starting. Without a namespace it does not start either way.
 */
export function renderUnitDropIn(
  { resolver }: Pick<EndpointGround, "resolver">,
  { service }: Pick<DesiredEndpoint, "service">,
): string {
  const unit = namespaceUnit(service);
  const names =
    resolver === undefined ? "" : `BindReadOnlyPaths=${ciliumPlaces.resolvConf}:/etc/resolv.conf\n`;
  return `# written by weft-node-agent; \`weft-node-agent leave\` takes it away
[Unit]
Wants=${unit}
After=${unit}
PartOf=${unit}

[Service]
NetworkNamespacePath=${namespacePath(service)}
${names}CapabilityBoundingSet=~CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_ADMIN
`;
}
