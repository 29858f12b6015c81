// What happened on a node (wire: weft/v1/report.proto). The newest report replaces the one before.
import type { ConditionCode } from "./condition.ts";
import type { FloorReport } from "./floor.ts";

export type Phase = "applying" | "enforced" | "failed" | "reverted";
export type StepResult = "done" | "failed" | "reverted" | "skipped";

export interface StepReport {
  readonly step: string;
  readonly subject: string;
  readonly result: StepResult;
  readonly detail: string;
  readonly durationMs: number;
}

export interface Condition {
  readonly code: ConditionCode;
  readonly detail: string;
  readonly since: Date;
}

export interface IdentityReport {
  readonly nodeSvidExpires: Date | undefined;
  readonly spireAgentId: string;
  readonly spireAgentHealthy: boolean;
  readonly spireAgentSvidExpires: Date | undefined;
}

export interface DnsReport {
  readonly mode: "resolved-link" | "file" | "off";
  readonly state: "in-force" | "failed" | "off";
  readonly detail: string;
}

/** Why flows were looked at. "started": the agent did not see what happened before. "repaired": the rules were gone for a moment. */
export type CutOccasion = "started" | "loaded" | "confirmed" | "reverted" | "repaired";

/** What became of established flows that the rules in force forbid. */
export interface CutReport {
  readonly occasion: CutOccasion;
  /** Of the state that was in force. */
  readonly generation: number;
  readonly ended: number;
  /** What the rules say of them could not be told, so they were left. */
  readonly leftUnknown: number;
  readonly failed: number;
  /** Left because the state says so. */
  readonly kept: number;
  readonly at: Date;
}

export interface NodeReport {
  readonly generation: number;
  readonly digest: string;
  readonly phase: Phase;
  /** Read back from the kernel; 0: none. */
  readonly enforcedRevision: number;
  readonly enforcedDigest: string;
  readonly enforcedAt: Date | undefined;
  /** Who testifies to the two fields before, e.g. "kernel of web1". */
  readonly witness: string;
  readonly steps: readonly StepReport[];
  readonly conditions: readonly Condition[];
  readonly identity: IdentityReport;
  readonly dns: DnsReport;
  readonly sequence: number;
  /** The last time flows were looked at; undefined: not yet. */
  readonly cut?: CutReport | undefined;
  /** undefined: an agent that has no word for it. */
  readonly floor?: FloorReport | undefined;
}
