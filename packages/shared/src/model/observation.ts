// What a kernel has counted, and what it is asked (wire: weft/v1/agent.proto). Nothing but the one key.
import type { Strength, Traffic } from "./desired.ts";

/** seen: asked for, whatever came of it. denied: refused. audited: would be refused, and passed. */
export type FlowKind = "seen" | "denied" | "audited";
export type Direction = "in" | "out" | "forward";

/** What Cilium knows of a flow beside addresses and ports. */
export interface EndpointFlow {
  /** Whose endpoint it is; the flow is "in" or "out" of it. */
  readonly service: string;
  /** Cilium's number of the other end; 0: not told. */
  readonly identity: number;
  /** Hash of its SPIFFE ID, by the label spiffe:id; empty: it has none, or it is not known. */
  readonly peer: string;
  /** Dropped because its source address was not the endpoint's. */
  readonly forged: boolean;
}

export interface ObservedFlow {
  readonly kind: FlowKind;
  readonly direction: Direction;
  /** undefined: the node itself. */
  readonly source: string | undefined;
  readonly destination: string | undefined;
  readonly protocol: Traffic;
  /** 0 for icmp. */
  readonly port: number;
  /** Of "out". */
  readonly uid: number | undefined;
  readonly user: string;
  readonly packets: number;
  readonly lastSeen: Date;
  /** Judged by Cilium at an endpoint of the node; undefined: counted by nftables. */
  readonly endpoint?: EndpointFlow | undefined;
}

/** Who has used up what is remembered of one source: what else it opened is not in the memory. */
export interface SpentQuota {
  readonly direction: "in" | "out";
  /** Of "in": an address, of IPv6 a network. */
  readonly source: string | undefined;
  /** Of "out". */
  readonly uid: number | undefined;
  readonly user: string;
  /** Of "out", by Cilium: the service. */
  readonly endpoint?: string | undefined;
}

/** Of what the agent of a node has heard of Cilium: no kernel keeps it. */
export interface EndpointMemory {
  /** How far back it goes without a gap; 0: nothing is heard now. */
  readonly seconds: number;
  /** Why it begins where it does. */
  readonly gap: string;
}

export interface Observation {
  readonly witness: string;
  readonly flows: readonly ObservedFlow[];
  /** Replaces what was said before. */
  readonly complete: boolean;
  readonly fullSets: readonly string[];
  readonly leftOut: number;
  /** How far back the memory of flows goes, by the kernel's own count; 0: it cannot tell. */
  readonly memorySeconds: number;
  readonly spent: readonly SpentQuota[];
  /** Of a node with endpoints of Cilium. */
  readonly endpoints?: EndpointMemory | undefined;
}

/** By which a flow is told from all others of its node. */
export function flowKey(flow: ObservedFlow): string {
  const { kind, direction, source, destination, protocol, port, uid, endpoint } = flow;
  const at = endpoint === undefined ? "" : `${endpoint.service} ${endpoint.forged}`;
  return [kind, direction, source, destination, protocol, port, uid, at].join(" ");
}

export interface KernelQuestion {
  readonly id: number;
  readonly hook: "input" | "output" | "forward";
  readonly source: string;
  readonly destination: string;
  readonly protocol: Traffic;
  /** 0 for icmp. */
  readonly port: number;
  /** For "output"; empty: root. */
  readonly user: string;
  readonly local: boolean;
  readonly publishedPort: number | undefined;
}

export type AnswerVerdict = "accept" | "drop" | "reject" | "unknown";
export type DecidedBy =
  | "policy"
  | "default"
  | "guard"
  | "baseline"
  | "unjudged"
  | "other-table"
  | "nothing-loaded";

export interface OtherTable {
  readonly table: string;
  readonly chain: string;
  readonly verdict: AnswerVerdict;
  readonly whyUnknown: string;
}

export interface Listener {
  readonly address: string;
  readonly uid: number;
  readonly user: string;
}

/** What the policy map of an endpoint of Cilium says of a connection, beside the rules of nftables. */
export interface EndpointVerdict {
  readonly service: string;
  readonly direction: "ingress" | "egress";
  readonly verdict: "allow" | "deny" | "unknown";
  /** Cilium's number of the other end; 0: not known. */
  readonly identity: number;
  /** The entry that decides; empty: none does. */
  readonly entry: string;
  readonly whyUnknown: string;
  /** In the namespace, of "ingress"; undefined: not known. */
  readonly listeners: readonly Listener[] | undefined;
}

export interface KernelAnswer {
  readonly id: number;
  readonly witness: string;
  readonly verdict: AnswerVerdict;
  /** Of Weft's table alone; undefined: it has no say. */
  readonly ownVerdict: AnswerVerdict | undefined;
  readonly decidedBy: DecidedBy;
  readonly policy: string;
  readonly file: string;
  readonly line: number;
  readonly strength: Strength;
  readonly whyUnknown: string;
  readonly trace: readonly string[];
  readonly assumed: readonly string[];
  readonly others: readonly OtherTable[];
  /** 0: none. */
  readonly revision: number;
  readonly digest: string;
  readonly uid: number | undefined;
  readonly listeners: readonly Listener[];
  readonly audited: boolean;
  /** Of this node, that the connection begins or ends at: the verdict above is that of nftables alone. */
  readonly endpoints: readonly EndpointVerdict[];
}

/** A question that could not be answered, and why. */
export interface NoAnswer {
  readonly id: number;
  readonly problem: string;
}
