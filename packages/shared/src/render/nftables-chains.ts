// The chains of the table `inet weft` as they stand on every node, over the sets of nftables-table.ts. Constant. Pure.
//
// Three hooks. Bans come first, of every packet either way, so a banned node's open connections end with the ban; then
// guards. A packet to a local service port is judged by its source before any conntrack rule, every packet of it; what a
// local process sends is judged by its uid, when it is new and as long as its socket has an owner. Rules that record
// (`update`) are rules of their own without a verdict, and the verdict after them depends on neither set nor address
// family: a full set, or IPv6, ends in the verdict, too.

import { endpointLinkPrefix } from "./cilium-places.ts";
import { recordChains } from "./nftables-records.ts";
import { decideRewritten } from "./nftables-rewritten.ts";
import {
  ban,
  type Chain,
  ending,
  icmpErrors,
  icmpv6Needed,
  judgeSource,
  later,
  needed,
  reject,
  syn,
  whatEnds,
} from "./nftables-rule.ts";
import { quadruplet, twin } from "./nftables-twin.ts";

/**
 * The coordinator's own look at the guard ports of nodes: whether it reaches one says something of that node only if
 * this machine's policy has no part in it. Not to this machine's own ports: its policy is what is looked at there.
 */
const proberOut = 'meta skuid @prober_uids oif != "lo" meta l4proto tcp accept';

/** Of a service with an endpoint of Cilium, by the endpoint's link. */
const fromEndpoint = `ip saddr @endpoints4 iifname "${endpointLinkPrefix}*"`;

const incoming = "ip saddr . meta l4proto . th dport";
const outgoing = "ip daddr . meta l4proto . th dport . meta skuid";
const target = "ip daddr . meta l4proto . th dport";
const flow = "ip saddr . ip daddr . meta l4proto . th dport";
const published = "meta l4proto tcp ct original proto-dst";

const input: readonly Chain[] = [
  {
    name: "input",
    hook: "input",
    rules: [
      ...twin("ip saddr @banned4 goto banned_in"),
      // the host's own address is not loopback: who comes from there is judged like anybody
      "iif lo ip daddr 127.0.0.0/8 accept",
      "iif lo ip6 daddr ::1 accept",
      `${icmpErrors} ${needed}`,
      `${icmpv6Needed} ${needed}`,
      "udp sport 67 udp dport 68 accept",
      "udp sport 547 udp dport 546 accept",
      "tcp dport @coordinator_ports goto guard_coordinator",
      "tcp dport @enrolment_ports goto guard_enrolment",
      // not what is for the coordinator: membership opens that, no policy
      "meta l4proto { tcp, udp } ct state new meta pkttype host jump record_arrival",
      "meta l4proto . th dport @guard_ports jump guard_admin",
      "tcp dport @tcp_ports goto judge_in",
      "udp dport @udp_ports goto judge_in",
      "icmp type echo-request goto judge_ping",
      "icmpv6 type echo-request goto judge_ping",
      // of what no service declares, and has ports (DCCP, SCTP, UDP-Lite, too)
      "meta l4proto { tcp, udp, 33, 132, 136 } meta nfproto @baseline goto judge_undeclared",
    ],
  },
  { name: "guard_coordinator", rules: [...twin("ip saddr @nodes4 accept"), "goto refuse_in"] },
  {
    // Open to newcomers, each source at its own rate. While the set of sources is full newcomers are refused;
    // sources already in it and nodes are not.
    name: "guard_enrolment",
    rules: [
      ...twin("ip saddr @nodes4 accept"),
      `${syn} != syn accept`,
      "update @enrolling4 { ip saddr limit rate 10/second burst 20 packets } accept",
      "update @enrolling6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate 10/second burst 20 packets } accept",
      "goto refuse_in",
    ],
  },
  {
    name: "guard_admin",
    rules: [...twin("ip saddr @admin_host4 accept"), ...twin("ip saddr != @nodes4 ip saddr @admin4 accept")],
  },
  {
    name: "judge_in",
    rules: [...judgeSource("tcp dport", { hook: "in", accept: "accept" })],
  },
  {
    name: "default_in",
    rules: ["tcp dport @tcp_audit goto audit_in", "udp dport @udp_audit goto audit_in", "goto refuse_in"],
  },
  { name: "banned_in", rules: [...recordStranger("denied"), "drop"] },
  ...ending("in", incoming),
  {
    // By address alone. Without a policy or a baseline that speaks of it a ping passes.
    name: "judge_ping",
    rules: [
      ...twin("ip saddr @ping_watch4 update @audited_ping4 { ip saddr }"),
      ...twin("ip saddr @ping_deny4 goto refuse_ping"),
      ...twin("ip saddr @ping_allow4 accept"),
      ...twin("ip saddr @nodes4 goto default_ping"),
      ...twin("ip saddr @ping_cidr4 accept"),
      "goto default_ping",
    ],
  },
  {
    name: "default_ping",
    rules: ["meta nfproto @baseline_audit goto audit_ping", "meta nfproto @baseline goto refuse_ping"],
  },
  { name: "audit_ping", rules: [...twin("update @audited_ping4 { ip saddr }"), "accept"] },
  {
    name: "refuse_ping",
    rules: [...twin("update @denied_ping4 { ip saddr }"), "reject with icmpx admin-prohibited"],
  },
  {
    // Guards were asked before. What is there already goes on, and so do answers to what this machine opened itself.
    name: "judge_undeclared",
    rules: [
      "ct state established,related accept",
      // the node's resolver: Cilium lets an endpoint go nowhere else on its node
      `${fromEndpoint} meta l4proto { tcp, udp } th dport 53 accept`,
      ...quadruplet("tcp dport . ip saddr @base_tcp_allow4 accept"),
      ...twin("ip saddr @nodes4 goto default_undeclared"),
      ...quadruplet("tcp dport . ip saddr @base_tcp_cidr4 accept"),
      "goto default_undeclared",
    ],
  },
  {
    name: "default_undeclared",
    rules: ["meta nfproto @baseline_audit goto audit_undeclared", "goto refuse_undeclared"],
  },
  { name: "audit_undeclared", rules: [...recordStranger("audited"), "accept"] },
  { name: "refuse_undeclared", rules: [...recordStranger("denied"), later, ...reject] },
];

/** A scan asks for every port there is: each source may add only so much to the sets. */
function recordStranger(kind: "audited" | "denied"): string[] {
  const record = `update @${kind}_in4 { ${incoming} }`;
  return [
    ...twin(`${incoming} @${kind}_in4 ${record}`),
    ...twin(
      `meta l4proto { tcp, udp } ${incoming} != @${kind}_in4 ` +
        `update @strangers4 { ip saddr limit rate 10/minute burst 50 packets } ${record}`,
    ),
  ];
}

const output: readonly Chain[] = [
  {
    name: "output",
    hook: "output",
    rules: [
      ...twin("ip daddr @banned4 goto banned_out"),
      "oif lo ip daddr 127.0.0.0/8 accept",
      "oif lo ip6 daddr ::1 accept",
      // What is new has its socket, and so its uid, for certain.
      "ct state new,untracked goto judge_out",
      // Of what is older, a packet whose socket still has an owner (no uid: the socket was closed, and its data is on
      // the way). So a flow that is no longer allowed ends at its next packet, whoever its neighbours on this node are,
      // and nobody inherits a UDP flow with its source port.
      "ct direction original meta skuid != 4294967295 goto judge_kept",
    ],
  },
  {
    name: "judge_kept",
    rules: [whatEnds, ...twin(`${target} @guard_out4 accept`), proberOut, "goto decide_out"],
  },
  {
    name: "judge_out",
    rules: [
      `${icmpErrors} accept`,
      `${icmpv6Needed} accept`,
      "udp sport 68 udp dport 67 accept",
      "udp sport 546 udp dport 547 accept",
      ...twin(`${target} @guard_out4 accept`),
      proberOut,
      "meta l4proto { tcp, udp } jump record_out",
      ...twin(`meta skuid . ${target} @out_watch4 update @audited_out4 { ${outgoing} }`),
      ...twin(`meta skuid . ip daddr @out_watch_all4 update @audited_out4 { ${outgoing} }`),
      ...twin(`${target} @out_node_watch4 update @audited_out4 { ${outgoing} }`),
      "goto decide_out",
    ],
  },
  {
    name: "decide_out",
    rules: [
      "ct status dnat jump decide_rewritten",
      ...twin(`meta skuid . ${target} @out_deny4 goto refuse_out`),
      ...twin("meta skuid . ip daddr @out_deny_all4 goto refuse_out"),
      ...twin(`${target} @out_node_deny4 goto refuse_out`),
      ...twin(`${target} @mesh4 goto judge_mesh`),
      "meta skuid @outside_uids goto judge_outside",
    ],
  },
  decideRewritten,
  {
    // A service port of the mesh: whoever is not named is refused, root and packets without a socket, too.
    name: "judge_mesh",
    rules: [
      ...twin(`meta skuid . ${target} @out_allow4 accept`),
      ...twin(`${target} @out_node_allow4 accept`),
      ...twin(`${target} @mesh_audit4 goto audit_out`),
      "goto refuse_out",
    ],
  },
  {
    name: "judge_outside",
    rules: [
      ...twin("ip daddr @nodes4 goto default_outside"),
      ...twin(`meta skuid . ${target} @outside_allow4 accept`),
      ...twin("meta skuid . ip daddr @outside_allow_all4 accept"),
      "goto default_outside",
    ],
  },
  { name: "default_outside", rules: ["meta skuid @outside_audit_uids goto audit_out", "goto refuse_out"] },
  ban("out", outgoing),
  ...ending("out", outgoing),
];

const forward: readonly Chain[] = [
  {
    // Containers behind masquerade, and ports published by DNAT, come by neither of the other hooks.
    name: "forward",
    hook: "forward",
    rules: [
      ...twin("ip saddr @banned4 goto banned_forward"),
      ...twin("ip daddr @banned4 goto banned_forward"),
      `ct state established ${whatEnds}`,
      "ct direction original ct status dnat ct state new meta l4proto { tcp, udp } jump record_published",
      `ct direction original ct status dnat ${published} @tcp_ports goto judge_published`,
      `ct direction original ct status dnat ${published} @udp_ports goto judge_published`.replaceAll(
        "tcp",
        "udp",
      ),
      "ct direction original ct status dnat meta l4proto { tcp, udp } meta nfproto @baseline goto publish_undeclared",
      "goto judge_forward",
    ],
  },
  {
    // A port published by DNAT that no service declares is as undeclared as one of this machine's own.
    name: "publish_undeclared",
    rules: [
      "ct state established,related goto judge_forward",
      ...quadruplet(`${published} . ip saddr @base_tcp_allow4 goto judge_forward`),
      ...twin("ip saddr @nodes4 goto default_published"),
      ...quadruplet(`${published} . ip saddr @base_tcp_cidr4 goto judge_forward`),
      "goto default_published",
    ],
  },
  {
    name: "default_published",
    rules: ["meta nfproto @baseline_audit goto audit_published", "goto refuse_forward"],
  },
  {
    name: "judge_published",
    rules: judgeSource(published, { hook: "forward", accept: "goto judge_forward" }),
  },
  {
    name: "default_forward",
    rules: [
      `${published} @tcp_audit goto audit_published`,
      `${published} @tcp_audit goto audit_published`.replaceAll("tcp", "udp"),
      "goto refuse_forward",
    ],
  },
  { name: "audit_published", rules: [...twin(`update @audited_forward4 { ${flow} }`), "goto judge_forward"] },
  {
    // What this node passes on to a service of another. Nodes have been judged where they sent it, and are judged
    // again where it arrives; anybody else must be named by the mesh file.
    name: "judge_forward",
    rules: twin(`${target} @mesh4 goto judge_peer`),
  },
  {
    name: "judge_peer",
    rules: [
      ...twin(`${flow} @forward_watch4 update @audited_forward4 { ${flow} }`),
      ...twin(`${flow} @forward_deny4 goto refuse_forward`),
      ...twin("ip saddr @nodes4 accept"),
      // judged by Cilium where it came from; by another link anybody could say that address
      `${fromEndpoint} accept`,
      ...twin(`${flow} @forward_allow4 accept`),
      ...twin(`${target} @mesh_audit4 goto audit_forward`),
      "goto refuse_forward",
    ],
  },
  ban("forward", flow),
  ...ending("forward", flow),
];

export const chains: readonly Chain[] = [...input, ...output, ...forward, ...recordChains];
