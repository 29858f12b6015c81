// The chain for what a local process sends and DNAT has rewritten before the output hook. Constant. Pure.
//
// A port published by DNAT is rewritten for the machine's own users, too (Docker does), and such a packet comes by neither
// the forward nor the input hook: what was asked for is judged here. Of what no set names, a port number that a service of
// this node declares is taken to be that port, at one of the node's other addresses.
import { twin } from "./nftables-twin.ts";

/** nft wants the protocol in the same rule. */
const ported = "meta l4proto { tcp, udp }";
const asked = "ct original ip daddr . meta l4proto . ct original proto-dst";
const askedPort = "meta l4proto tcp ct original proto-dst";

function bothProtocols(rule: string): string[] {
  return [rule, rule.replaceAll("tcp", "udp")];
}

export const decideRewritten = {
  name: "decide_rewritten",
  rules: [
    ...twin(`${ported} meta skuid . ${asked} @out_deny4 goto refuse_out`),
    ...twin(`${ported} ${asked} @out_node_deny4 goto refuse_out`),
    ...twin(`${ported} meta skuid . ${asked} @out_allow4 accept`),
    ...twin(`${ported} ${asked} @out_node_allow4 accept`),
    ...twin(`${ported} ${asked} @mesh_audit4 goto audit_out`),
    ...twin(`${ported} ${asked} @mesh4 goto refuse_out`),
    ...bothProtocols(`${askedPort} @tcp_audit goto audit_out`),
    ...bothProtocols(`${askedPort} @tcp_ports goto refuse_out`),
  ],
} as const;
