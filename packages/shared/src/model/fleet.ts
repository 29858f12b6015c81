// What the coordinator knows of its nodes, for status. No behaviour.

import type { NodeFacts } from "./facts.ts";
import type { Condition, NodeReport } from "./report.ts";

export type NodeState = "Online" | "Late" | "Lost" | "Joining" | "Suspended" | "Banned" | "Absent";
/** Revision wanted against revision enforced, as one word. */
export type Verdict = "ENFORCED" | "APPLYING" | "REVERTED" | "DRIFTED" | "STALE";

export interface NodeStatus {
  readonly name: string;
  readonly address: string;
  readonly state: NodeState;
  readonly enforcement: "nftables";
  readonly wantedRevision: number;
  readonly enforcedRevision: number;
  readonly wantedGeneration: number;
  readonly verdict: Verdict;
  readonly lastSeen: Date | undefined;
  readonly report: NodeReport | undefined;
  readonly facts: NodeFacts | undefined;
  readonly agentVersion: string;
}

export interface FleetStatus {
  readonly mesh: string;
  readonly trustDomain: string;
  readonly revision: number;
  readonly at: Date;
  readonly nodes: readonly NodeStatus[];
  readonly conditions: readonly Condition[];
  readonly coordinatorSvidExpires: Date | undefined;
}
