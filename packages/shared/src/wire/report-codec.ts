// NodeReport and Condition <-> weft.v1. A condition code only a newer peer knows is left out: we have no words for it.
import type * as wire from "../gen/weft/v1/report.ts";
import { isConditionCode } from "../model/condition.ts";
import { type FloorReport, type FloorState, longestRefusal, mostFloorRefusals } from "../model/floor.ts";
import type {
  Condition,
  CutOccasion,
  CutReport,
  DnsReport,
  NodeReport,
  Phase,
  StepResult,
} from "../model/report.ts";
import { oneOf, present, toNumber } from "./number.ts";

const phases: readonly Phase[] = ["applying", "enforced", "failed", "reverted"];
const results: readonly StepResult[] = ["done", "failed", "reverted", "skipped"];
const occasions: readonly CutOccasion[] = ["started", "loaded", "confirmed", "reverted", "repaired"];
const dnsModes: readonly DnsReport["mode"][] = ["resolved-link", "file", "off"];
const dnsStates: readonly DnsReport["state"][] = ["in-force", "failed", "off"];
const floorStates: readonly FloorState[] = ["none", "in-force", "broken"];

export function encodeCondition(condition: Condition): wire.Condition {
  return { code: condition.code, detail: condition.detail, since: condition.since };
}

/** Conditions this program knows; the others are dropped here, since only their own release can word them. */
export function decodeConditions(messages: readonly wire.Condition[]): Condition[] {
  return messages.flatMap((message) =>
    isConditionCode(message.code)
      ? [{ code: message.code, detail: message.detail, since: present(message.since, "condition since") }]
      : [],
  );
}

export function encodeReport(report: NodeReport): wire.NodeReport {
  return {
    generation: BigInt(report.generation),
    digest: report.digest,
    phase: report.phase,
    enforcedRevision: BigInt(report.enforcedRevision),
    enforcedDigest: report.enforcedDigest,
    enforcedAt: report.enforcedAt,
    witness: report.witness,
    steps: report.steps.map((step) => ({ ...step, durationMs: Math.round(step.durationMs) })),
    conditions: report.conditions.map(encodeCondition),
    identity: { ...report.identity },
    dns: { ...report.dns },
    sequence: BigInt(report.sequence),
    cut: report.cut === undefined ? undefined : encodeCut(report.cut),
    floor:
      report.floor === undefined
        ? undefined
        : { ...report.floor, refusals: report.floor.refusals.map((refusal) => ({ ...refusal })) },
  };
}

/** Bounded here, too: a node may say what it likes. */
function decodeFloor(message: wire.FloorReport | undefined): FloorReport | undefined {
  if (message === undefined) return undefined;
  const listed = message.refusals.slice(0, mostFloorRefusals);
  return {
    state: oneOf(message.state, floorStates, "floor state"),
    refusals: listed.map(({ line, policy, file, ruleLine, what }) => ({
      line,
      policy: policy.slice(0, longestRefusal),
      file: file.slice(0, longestRefusal),
      ruleLine,
      what: what.slice(0, longestRefusal),
    })),
    leftOut: message.leftOut + message.refusals.length - listed.length,
  };
}

export function decodeReport(message: wire.NodeReport): NodeReport {
  const identity = present(message.identity, "identity report");
  const dns = present(message.dns, "dns report");
  return {
    generation: toNumber(message.generation, "generation"),
    digest: message.digest,
    phase: oneOf(message.phase, phases, "phase"),
    enforcedRevision: toNumber(message.enforcedRevision, "enforced revision"),
    enforcedDigest: message.enforcedDigest,
    enforcedAt: message.enforcedAt,
    witness: message.witness,
    steps: message.steps.map((step) => ({
      step: step.step,
      subject: step.subject,
      result: oneOf(step.result, results, "step result"),
      detail: step.detail,
      durationMs: step.durationMs,
    })),
    conditions: decodeConditions(message.conditions),
    identity: {
      nodeSvidExpires: identity.nodeSvidExpires,
      spireAgentId: identity.spireAgentId,
      spireAgentHealthy: identity.spireAgentHealthy,
      spireAgentSvidExpires: identity.spireAgentSvidExpires,
    },
    dns: {
      mode: oneOf(dns.mode, dnsModes, "dns mode"),
      state: oneOf(dns.state, dnsStates, "dns state"),
      detail: dns.detail,
    },
    sequence: toNumber(message.sequence, "sequence"),
    ...(message.cut === undefined ? {} : { cut: decodeCut(message.cut) }),
    floor: decodeFloor(message.floor),
  };
}

export function encodeCut(cut: CutReport): wire.CutReport {
  return { ...cut, generation: BigInt(cut.generation) };
}

export function decodeCut(message: wire.CutReport): CutReport {
  return {
    occasion: oneOf(message.occasion, occasions, "occasion of a cut"),
    generation: toNumber(message.generation, "generation of a cut"),
    ended: message.ended,
    leftUnknown: message.leftUnknown,
    failed: message.failed,
    kept: message.kept,
    at: present(message.at, "time of a cut"),
  };
}
