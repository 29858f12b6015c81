// In: a node's part of Cilium, its address and device. Out: the files its agent starts from: one for each option, the
// etcd, the environment. Pure. Seen to work with 1.18.10; why each that is not obvious: docs/cilium.md.
import { WeftError } from "../errors/weft-error.ts";
import { familyOf } from "../model/address.ts";
import type { DesiredContent } from "../model/desired.ts";
import type { DesiredCilium, DesiredEtcd } from "../model/desired-cilium.ts";
import { ciliumNamespace } from "./cilium-labels.ts";
import { ciliumPlaces, routerAddress } from "./cilium-places.ts";

export interface AgentGround extends Pick<DesiredContent, "mesh" | "address"> {
  readonly cilium: Pick<DesiredCilium, "range" | "ranges">;
  /** The link that holds the node's address. */
  readonly device: string;
}

/** Events of the datapath in a second, at most: whoever is refused can make as many as he likes. */
export const eventRate = 4_000;

/** Name of the file -> its content. */
export function renderAgentOptions({ mesh, address, device, cilium }: AgentGround): Record<string, string> {
  if (familyOf(address) !== 4) throw new WeftError("WEFT-E003", `${address} is no IPv4 address`);
  return {
    "enable-k8s": "false",
    "cluster-name": ciliumNamespace(mesh),
    "cluster-id": "0",
    "lib-dir": ciliumPlaces.programs,
    "identity-allocation-mode": "kvstore",
    kvstore: "etcd",
    "kvstore-opt": JSON.stringify({ "etcd.config": ciliumPlaces.etcd }),
    ipam: "cluster-pool",
    "ipv4-range": cilium.range,
    "ipv4-node": address,
    // else the agent takes a free address of the range, and after a crash that can be one its peers know as a service
    "local-router-ipv4": routerAddress,
    // without it no other router address is taken
    "enable-endpoint-routes": "true",
    "enable-ipv4": "true",
    "enable-ipv6": "false",
    devices: device,
    "routing-mode": "native",
    "auto-direct-node-routes": "true",
    "ipv4-native-routing-cidr": cilium.ranges,
    "enable-ipv4-masquerade": "true",
    "kube-proxy-replacement": "false",
    "enable-l7-proxy": "false",
    // an endpoint whose policy is not there yet, or was lost, is closed
    "enable-policy": "always",
    "static-cnp-path": ciliumPlaces.policies,
    "policy-default-local-cluster": "false",
    "policy-cidr-match-mode": "nodes",
    // off otherwise, and no flag is registered for it: then an identity is a source address that anybody can send
    "enable-source-ip-verification": "true",
    // endpoints that no service is, with addresses of the range
    "enable-health-checking": "false",
    "enable-endpoint-health-checking": "false",
    "cni-exclusive": "false",
    "mesh-auth-enabled": "false",
    "enable-hubble": "false",
    "agent-health-port": "9879",
    // the monitor is told verdicts and drops; a packet that passes is no event, even while somebody listens
    "enable-monitor": "true",
    "bpf-events-policy-verdict-enabled": "true",
    "bpf-events-drop-enabled": "true",
    "bpf-events-trace-enabled": "false",
    "bpf-events-default-rate-limit": String(eventRate),
    "bpf-events-default-burst-limit": String(eventRate),
    // a listener that stops for a moment loses what does not fit here, and nobody says so: four seconds
    "monitor-queue-size": String(4 * eventRate),
  };
}

/** JSON, which is YAML: nothing needs escaping. */
export function renderEtcdConfig({ members, ca, certificate, key }: DesiredEtcd): string {
  const config = {
    endpoints: members,
    ...(ca === undefined ? {} : { "trusted-ca-file": ca }),
    ...(certificate === undefined ? {} : { "cert-file": certificate }),
    ...(key === undefined ? {} : { "key-file": key }),
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

/** An agent without Kubernetes knows its node's name from here alone. */
export function renderAgentEnvironment(node: string): string {
  return `K8S_NODE_NAME=${node}\n`;
}
