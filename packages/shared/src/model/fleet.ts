// What the coordinator knows of its nodes, for status. No behaviour.

import type { NodeFacts } from "./facts.ts";
import type { Condition, NodeReport } from "./report.ts";

export type NodeState = "Online" | "Late" | "Lost" | "Joining" | "Suspended" | "Banned" | "Absent";
/** Revision wanted against revision enforced, as one word. */
export type Verdict = "ENFORCED" | "APPLYING" | "REVERTED" | "DRIFTED" | "STALE";

/** What judges on a node: nftables always, and with `cilium` its services' endpoints as well. */
export type Enforcement = "nftables" | "cilium";

export interface NodeStatus {
  readonly name: string;
  readonly address: string;
  readonly state: NodeState;
  readonly enforcement: Enforcement;
  readonly wantedRevision: number;
  readonly enforcedRevision: number;
  readonly wantedGeneration: number;
  readonly verdict: Verdict;
  readonly lastSeen: Date | undefined;
  readonly report: NodeReport | undefined;
  readonly facts: NodeFacts | undefined;
  readonly agentVersion: string;
}

/** Of the change that is on its way, or of the last one when it was stopped. */
export interface RolloutStatus {
  readonly revision: number;
  /** In force where it has not come to. */
  readonly base: number;
  readonly state: "running" | "stopped";
  /** How many waves have begun, the canaries counted as the first; and how many there are. */
  readonly wave: number;
  readonly waves: number;
  /** How many nodes it concerns, and how many were given it. */
  readonly nodes: number;
  readonly given: number;
  readonly waitingFor: readonly string[];
  /** Given it, and not connected. */
  readonly absent: readonly string[];
  /** Of a stopped one. */
  readonly why: string;
  /** The revision that has the sources of `base` again; 0: none. */
  readonly takenBackAs: number;
}

export interface FleetStatus {
  readonly mesh: string;
  readonly trustDomain: string;
  readonly revision: number;
  readonly at: Date;
  readonly nodes: readonly NodeStatus[];
  readonly conditions: readonly Condition[];
  readonly coordinatorSvidExpires: Date | undefined;
  readonly rollout?: RolloutStatus | undefined;
}
