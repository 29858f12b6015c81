// In: a node's address and the endpoints of its services. Out: the table that publishes their ports at that address, as one
// transaction. Pure. So nothing changes for whoever is no endpoint: it reaches a service at the node, is judged there by
// address as what is published by DNAT (nftables-chains.ts), and then by Cilium.
import { WeftError } from "../errors/weft-error.ts";
import { familyOf } from "../model/address.ts";
import type { DesiredEndpoint } from "../model/desired-cilium.ts";
import { joinRanges } from "../plan/port-ranges.ts";
import { endpointLinkPrefix } from "./cilium-places.ts";
import { portText } from "./nftables-set.ts";

export const endpointsTable = "ip weft_endpoints";

type Published = Pick<DesiredEndpoint, "service" | "address" | "ports">;

/** Made anew: what is connected already keeps its translation. */
export function renderEndpointsTable(address: string, endpoints: readonly Published[]): string {
  if (familyOf(address) !== 4) throw new WeftError("WEFT-E003", `${address} is no IPv4 address`);
  const rules = endpoints.flatMap((endpoint) => rulesOf(address, endpoint));
  return `${renderEndpointsRemoval()}table ${endpointsTable} {
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    # endpoints know each other by their own addresses
    iifname "${endpointLinkPrefix}*" return
    jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    jump publish
  }
  chain publish {
    # the ways into the machine, and its resolver, whatever is published
    meta l4proto { tcp, udp } th dport { 22, 53 } return
${rules.map((rule) => `    ${rule}\n`).join("")}  }
}
`;
}

/** Takes it away, if it is there. */
export function renderEndpointsRemoval(): string {
  return `add table ${endpointsTable}\ndelete table ${endpointsTable}\n`;
}

/** A rule for each protocol, not a map for all: so the rules say of any other port that they do not concern it. */
function rulesOf(address: string, { service, address: inside, ports }: Published): string[] {
  return (["tcp", "udp"] as const).flatMap((protocol) => {
    // the kernel takes no ranges that overlap
    const own = joinRanges(ports.filter((range) => range.protocol === protocol));
    if (own.length === 0) return [];
    const list = own.map(portText).join(", ");
    return [`ip daddr ${address} ${protocol} dport { ${list} } dnat to ${inside} comment "${service}"`];
  });
}
