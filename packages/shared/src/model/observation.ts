// What a kernel has counted, and what it is asked (wire: weft/v1/agent.proto). No behaviour.
import type { Strength, Traffic } from "./desired.ts";

/** seen: asked for, whatever came of it. denied: refused. audited: would be refused, and passed. */
export type FlowKind = "seen" | "denied" | "audited";
export type Direction = "in" | "out" | "forward";

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
}

/** Who has used up what is remembered of one source: what else it opened is not in the memory. */
export interface SpentQuota {
  readonly direction: "in" | "out";
  /** Of "in": an address, of IPv6 a network. */
  readonly source: string | undefined;
  /** Of "out". */
  readonly uid: number | undefined;
  readonly user: string;
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
