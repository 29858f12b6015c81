// What a section of the desired state (policy, names, identity) comes to, each for itself: one that fails undoes its own
// steps and leaves the others in force.
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";
import type { ConditionCode } from "@weft/shared/model/condition";
import type { StepReport } from "@weft/shared/model/report";
import type { RunEnd } from "../apply/runner.ts";
import type { Finding } from "../conditions.ts";

/** What it is when a section fails with an error of no kind that is known. */
export const otherwise = {
  floor: "FLOOR_BROKEN",
  policy: "POLICY_REFUSED",
  etcd: "ETCD_DOWN",
  cilium: "CILIUM_PARTIAL",
  dns: "DNS_DOWN",
  identity: "SPIRE_AGENT_DOWN",
} as const satisfies Record<string, ConditionCode>;

export type SectionName = keyof typeof otherwise;

export interface SectionResult {
  /** "waiting": for somebody who could prove a change; nothing was tried yet. */
  readonly end: RunEnd | "nothing" | "waiting";
  readonly steps: readonly StepReport[];
  readonly findings: readonly Finding[];
}

const byError: ReadonlyMap<string, ConditionCode> = new Map([
  ["WEFT-E002", "DISK_TROUBLE"],
  ["WEFT-E300", "COMPONENT_MISSING"],
  ["WEFT-E301", "COMPONENT_MISSING"],
]);

/** A failure as a condition. @param otherwise for errors that are not of one known kind */
export function findingOf(failure: unknown, otherwise: ConditionCode): Finding {
  const code = isWeftError(failure) ? (byError.get(failure.code) ?? otherwise) : otherwise;
  const why = isWeftError(failure) && failure.why !== undefined ? `: ${failure.why}` : "";
  return { code, detail: `${messageOf(failure)}${why}` };
}
