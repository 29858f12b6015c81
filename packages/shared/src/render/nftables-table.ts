// The sets of one policy in the table `inet weft`, to stand in a slot (nftables-slots.ts). Constant: what differs from
// node to node are only the elements (nftables-elements.ts). The rules over them are in nftables-chains.ts. Pure.

/** A set that the policy fills: emptied and filled again with every change. */
export interface PolicySet {
  readonly name: string;
  readonly type: string;
  readonly interval: boolean;
}

const policySet = (name: string, type: string, interval = true): PolicySet => ({ name, type, interval });

const port = "inet_proto . inet_service";

function setsOf(family: 4 | 6): PolicySet[] {
  const address = family === 4 ? "ipv4_addr" : "ipv6_addr";
  const set = (name: string, type: string, interval = true) => policySet(`${name}${family}`, type, interval);
  return [
    // judged first, before every guard
    set("banned", address, false),
    // addresses of mesh nodes: no CIDR speaks for them
    set("nodes", address, false),
    set("admin_host", address, false),
    set("admin", address),
    // coordinator and DNS upstreams
    set("guard_out", `${address} . ${port}`),
    ...["tcp", "udp"].flatMap((protocol) => [
      set(`in_${protocol}_watch`, `inet_service . ${address}`),
      set(`in_${protocol}_deny`, `inet_service . ${address}`),
      set(`in_${protocol}_allow`, `inet_service . ${address}`),
      set(`in_${protocol}_cidr`, `inet_service . ${address}`),
      // what a closed baseline leaves open: to anybody or a node; to ranges, which do not speak for nodes
      set(`base_${protocol}_allow`, `inet_service . ${address}`),
      set(`base_${protocol}_cidr`, `inet_service . ${address}`),
    ]),
    set("ping_watch", address),
    set("ping_deny", address),
    set("ping_allow", address),
    set("ping_cidr", address),
    // every service port of the mesh
    set("mesh", `${address} . ${port}`),
    set("mesh_audit", `${address} . ${port}`),
    set("out_watch", `uid . ${address} . ${port}`),
    set("out_watch_all", `uid . ${address}`),
    set("out_deny", `uid . ${address} . ${port}`),
    set("out_deny_all", `uid . ${address}`),
    set("out_allow", `uid . ${address} . ${port}`),
    // a node named as source: any process of it
    set("out_node_watch", `${address} . ${port}`),
    set("out_node_deny", `${address} . ${port}`),
    set("out_node_allow", `${address} . ${port}`),
    set("outside_allow", `uid . ${address} . ${port}`),
    set("outside_allow_all", `uid . ${address}`),
    set("forward_watch", `${address} . ${address} . ${port}`),
    set("forward_deny", `${address} . ${address} . ${port}`),
    set("forward_allow", `${address} . ${address} . ${port}`),
  ];
}

export const policySets: readonly PolicySet[] = [
  policySet("coordinator_ports", "inet_service"),
  policySet("enrolment_ports", "inet_service"),
  policySet("guard_ports", port),
  // the coordinator's, on its own machine
  policySet("prober_uids", "uid", false),
  policySet("tcp_ports", "inet_service"),
  policySet("udp_ports", "inet_service"),
  policySet("tcp_audit", "inet_service"),
  policySet("udp_audit", "inet_service"),
  // both families while the node's baseline is closed
  policySet("baseline", "nf_proto", false),
  policySet("baseline_audit", "nf_proto", false),
  // local services whose ways out of the mesh are closed unless a policy opens them
  policySet("outside_uids", "uid", false),
  policySet("outside_audit_uids", "uid", false),
  // of this node; Cilium has no others here
  policySet("endpoints4", "ipv4_addr", false),
  ...setsOf(4),
  ...setsOf(6),
];
