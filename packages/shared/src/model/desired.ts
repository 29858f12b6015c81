// The typed meaning one node is given (wire: weft/v1/desired.proto says what each field is). No behaviour.
import type { DesiredCilium } from "./desired-cilium.ts";
import type { DesiredEtcdCluster } from "./desired-etcd.ts";
import type { Digest } from "./ids.ts";
import type { Action, Origin, PortRange } from "./traffic.ts";

export type { Action, Origin, PortRange, Protocol, Traffic } from "./traffic.ts";

export type Mode = "enforce" | "audit";
export type Strength = "mtls" | "address+uid" | "address";
export type DnsMode = "auto" | "resolved-link" | "file" | "off";

export interface Workload {
  readonly service: string;
  readonly spiffeId: string;
  readonly user: string;
  readonly unit: string | undefined;
}

export interface DesiredIdentity {
  readonly spireServerAddress: string;
  readonly spireServerPort: number;
  readonly workloads: readonly Workload[];
}

export interface Endpoint {
  readonly service: string;
  readonly node: string;
  readonly address: string;
  readonly portName: string;
  readonly port: PortRange;
  readonly user: string;
  /** What happens to traffic no rule allows: audit while every allow policy that covers this port is in audit. */
  readonly mode: Mode;
}

export interface IngressRule {
  readonly service: string;
  readonly port: PortRange;
  readonly action: Action;
  readonly mode: Mode;
  /** Service or node name, or the CIDR itself. */
  readonly from: string;
  /** Address or CIDR. */
  readonly source: string;
  readonly strength: Strength;
  readonly origin: Origin;
}

export interface EgressRule {
  /** Local service; empty, with an empty user: any process of this node (the mesh file named the node). */
  readonly service: string;
  readonly user: string;
  /** Service name, or the CIDR itself. */
  readonly to: string;
  /** Address or CIDR. */
  readonly destination: string;
  /** undefined: every port */
  readonly port: PortRange | undefined;
  readonly action: Action;
  readonly mode: Mode;
  readonly origin: Origin;
}

export interface Guard {
  readonly admin: readonly string[];
  readonly ports: readonly PortRange[];
  readonly coordinatorAddress: string;
  /** In this order: agent, enrolment, SPIRE. */
  readonly coordinatorPorts: readonly PortRange[];
  readonly isCoordinator: boolean;
  /** Of mesh nodes: all of them on the coordinator's node; elsewhere those a CIDR of this node's rules covers,
   *  because a CIDR never speaks for a mesh address. */
  readonly nodeAddresses: readonly string[];
  readonly upstreams: readonly string[];
  /** Of banned nodes: nothing from there or to there, guard flows included. */
  readonly banned: readonly string[];
}

/** Lets somebody reach, on a node whose baseline is closed, what no service declares. */
export interface BaselineAllowance {
  /** "any", a node's name, or the CIDR itself. */
  readonly from: string;
  /** Address or CIDR; of "any" the whole of one family. */
  readonly source: string;
  /** undefined: ping */
  readonly port: PortRange | undefined;
  readonly origin: Origin;
}

/** Ports nobody declared, and ping, are closed but for these. */
export interface Baseline {
  readonly mode: Mode;
  /** Of the line that closes them. */
  readonly origin: Origin;
  readonly allow: readonly BaselineAllowance[];
}

/** Who may, or may not, ping this node. Only an address can be told there. */
export interface PingRule {
  /** Service or node name, or the CIDR itself. */
  readonly from: string;
  /** Address or CIDR. */
  readonly source: string;
  readonly action: Action;
  readonly mode: Mode;
  readonly origin: Origin;
}

export interface DesiredPolicy {
  readonly enforcement: "nftables";
  readonly services: readonly Endpoint[];
  readonly ingress: readonly IngressRule[];
  readonly mesh: readonly Endpoint[];
  readonly egress: readonly EgressRule[];
  /** CIDR sources that may (or may not) be forwarded by this node to a service of another node. */
  readonly forward: readonly IngressRule[];
  readonly guard: Guard;
  readonly egressDefault: Action;
  readonly mode: Mode;
  readonly boot: "guards-only" | "open";
  /** undefined: what nobody declared stays as it is. */
  readonly baseline?: Baseline | undefined;
  /** undefined: no policy speaks of ping here. */
  readonly ping?: readonly PingRule[] | undefined;
  /** Addresses of endpoints on this node: what they send has been judged by Cilium when it is to be passed on. */
  readonly endpoints?: readonly string[] | undefined;
}

/** The origin of what a baseline says, and so no policy's name. */
export const baselineName = "baseline";

export interface DnsRecord {
  readonly name: string;
  readonly type: "A" | "AAAA" | "SRV";
  readonly value: string;
}

export interface DesiredDns {
  readonly zone: string;
  readonly mode: DnsMode;
  readonly upstreams: readonly string[];
  readonly records: readonly DnsRecord[];
}

/** What is compiled; its digest leaves out generation and revision, so an edit elsewhere changes nothing here. */
export interface DesiredContent {
  readonly mesh: string;
  readonly trustDomain: string;
  readonly node: string;
  readonly address: string;
  readonly identity: DesiredIdentity;
  readonly policy: DesiredPolicy;
  readonly dns: DesiredDns;
  /** undefined: no service of this node has an endpoint of Cilium. */
  readonly cilium?: DesiredCilium | undefined;
  /** Of a member of it, and of a node whose Cilium uses it. */
  readonly etcdCluster?: DesiredEtcdCluster | undefined;
}

export interface DesiredState extends DesiredContent {
  readonly generation: number;
  readonly digest: Digest;
  /** Of the mesh file this was compiled from. */
  readonly revision: number;
  /** New rules that are not proved within it undo themselves. undefined: the default. */
  readonly confirmTimeoutSeconds?: number | undefined;
  /** Established flows that these rules forbid are left alone, as long as this generation is the newest. */
  readonly keepEstablished?: true | undefined;
}

/** On the coordinator's machine, the user it runs as: it looks from there whether it reaches a node. */
export const coordinatorUser = "weft";

export const defaultConfirmTimeoutSeconds = 15;
export const longestConfirmTimeoutSeconds = 3600;
