// In: a machine's address, the etcd and the cluster. Out: the options of its agent of Cilium, one file each. Pure.

/** Where an agent reads its policies. */
export const policies = "/etc/cilium/policies";

export interface AgentGround {
  readonly address: string;
  /** Its URL. */
  readonly etcd: string;
  readonly cluster: string;
}

/** What endpoints of a machine get their addresses from. */
export function rangeOf(address: string): string {
  return `10.42.${address.split(".").at(-1)}.0/24`;
}

export function agentOptions({ address, etcd, cluster }: AgentGround): Readonly<Record<string, string>> {
  return {
    "enable-k8s": "false",
    "cluster-name": cluster,
    "cluster-id": "0",
    "identity-allocation-mode": "kvstore",
    kvstore: "etcd",
    "kvstore-opt": JSON.stringify({ "etcd.address": etcd }),
    ipam: "cluster-pool",
    "ipv4-range": rangeOf(address),
    "ipv4-node": address,
    "enable-ipv4": "true",
    "enable-ipv6": "false",
    devices: "eth0",
    "routing-mode": "native",
    "auto-direct-node-routes": "true",
    "ipv4-native-routing-cidr": "10.42.0.0/16",
    "enable-ipv4-masquerade": "true",
    "kube-proxy-replacement": "false",
    "enable-l7-proxy": "false",
    "enable-policy": "default",
    "static-cnp-path": policies,
    "policy-default-local-cluster": "false",
    "policy-cidr-match-mode": "nodes",
    "enable-source-ip-verification": "true",
    "cni-exclusive": "false",
    "mesh-auth-enabled": "false",
    "enable-hubble": "false",
    "agent-health-port": "9879",
  };
}
