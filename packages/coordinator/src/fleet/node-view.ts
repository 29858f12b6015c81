// In: what is known of one node, and an event about it. Out: what is known after it. Pure: time comes with the event.
import type { NodeFacts } from "@weft/shared/model/facts";
import type { Enforcement, NodeState, NodeStatus, Verdict } from "@weft/shared/model/fleet";
import type { NodeReport } from "@weft/shared/model/report";
import type { EnrolmentState } from "../store/records.ts";

export const lateAfterMs = 15_000;
export const lostAfterMs = 60_000;

/** The newest state compiled for the node; it may stem from an older revision than the mesh's newest. */
export interface Wanted {
  readonly generation: number;
  readonly digest: string;
  readonly revision: number;
  readonly enforcement: Enforcement;
}

export interface NodeView {
  readonly name: string;
  /** Empty when the mesh does not name the node. */
  readonly address: string;
  readonly wanted: Wanted | undefined;
  /** undefined: never joined. */
  readonly enrolment: EnrolmentState | undefined;
  readonly connected: boolean;
  readonly lastSeen: Date | undefined;
  readonly agentVersion: string;
  readonly report: NodeReport | undefined;
  readonly facts: NodeFacts | undefined;
}

export type NodeEvent =
  | { readonly kind: "named"; readonly address: string }
  | { readonly kind: "unnamed" }
  | { readonly kind: "wanted"; readonly wanted: Wanted }
  | { readonly kind: "enrolment"; readonly state: EnrolmentState; readonly at: Date }
  | { readonly kind: "connected"; readonly at: Date; readonly agentVersion: string }
  | { readonly kind: "disconnected" }
  | { readonly kind: "seen"; readonly at: Date }
  | { readonly kind: "report"; readonly at: Date; readonly report: NodeReport }
  | { readonly kind: "facts"; readonly at: Date; readonly facts: NodeFacts };

export function unknownNode(name: string): NodeView {
  return {
    name,
    address: "",
    wanted: undefined,
    enrolment: undefined,
    connected: false,
    lastSeen: undefined,
    agentVersion: "",
    report: undefined,
    facts: undefined,
  };
}

export function foldNode(view: NodeView, event: NodeEvent): NodeView {
  switch (event.kind) {
    case "named":
      return { ...view, address: event.address };
    case "unnamed":
      return { ...view, address: "" };
    case "wanted":
      return { ...view, wanted: event.wanted };
    case "enrolment":
      // A new enrolment is a new machine: what the old one said is no word of it.
      return event.state === "joining" && view.enrolment !== "joining"
        ? { ...view, enrolment: event.state, lastSeen: event.at, report: undefined, facts: undefined }
        : { ...view, enrolment: event.state };
    case "connected":
      return { ...view, connected: true, lastSeen: event.at, agentVersion: event.agentVersion };
    case "disconnected":
      return { ...view, connected: false };
    case "seen":
      return { ...view, lastSeen: event.at };
    case "report":
      return { ...view, lastSeen: event.at, report: event.report };
    case "facts":
      return { ...view, lastSeen: event.at, facts: event.facts };
  }
}

/**
 * The kernel was read back and carries the newest state compiled for the node. Word of an older generation is none of
 * this one, even with the same digest: another state may have come in between.
 */
export function isEnforced(view: NodeView): boolean {
  const { report, wanted } = view;
  return (
    report !== undefined &&
    wanted !== undefined &&
    report.phase === "enforced" &&
    report.generation >= wanted.generation &&
    report.enforcedDigest === wanted.digest
  );
}

/** The node tried the newest state and could not have it. Said of an older generation, it is no word about this one. */
export function hasFailed(view: NodeView): boolean {
  const { report, wanted } = view;
  return (
    report !== undefined &&
    report.digest === wanted?.digest &&
    report.generation >= wanted.generation &&
    (report.phase === "failed" || report.phase === "reverted")
  );
}

export function isMember(view: NodeView): boolean {
  return view.enrolment === "joining" || view.enrolment === "enrolled";
}

export function stateOf(view: NodeView, now: Date): NodeState {
  switch (view.enrolment) {
    case undefined:
    case "left":
    case "removed":
      return "Absent";
    case "suspended":
      return "Suspended";
    case "banned":
      return "Banned";
    case "joining":
    case "enrolled": {
      const silence = now.getTime() - (view.lastSeen?.getTime() ?? 0);
      if (silence > lostAfterMs) return "Lost";
      if (silence > lateAfterMs) return "Late";
      return view.enrolment === "joining" ? "Joining" : "Online";
    }
  }
}

export function verdictOf(view: NodeView, now: Date): Verdict {
  if (!isMember(view) || stateOf(view, now) === "Lost") return "STALE";
  if (view.report?.conditions.some((condition) => condition.code === "POLICY_DRIFTED") === true)
    return "DRIFTED";
  if (isEnforced(view)) return "ENFORCED";
  if (hasFailed(view)) return "REVERTED";
  return view.connected ? "APPLYING" : "STALE";
}

export function statusOf(view: NodeView, now: Date): NodeStatus {
  return {
    name: view.name,
    address: view.address,
    state: stateOf(view, now),
    enforcement: view.wanted?.enforcement ?? "nftables",
    wantedRevision: view.wanted?.revision ?? 0,
    // A node may have reported the same rules under an older revision's number: what it carries is then the newer.
    enforcedRevision: isEnforced(view) ? (view.wanted?.revision ?? 0) : (view.report?.enforcedRevision ?? 0),
    wantedGeneration: view.wanted?.generation ?? 0,
    verdict: verdictOf(view, now),
    lastSeen: view.lastSeen,
    report: view.report,
    facts: view.facts,
    agentVersion: view.agentVersion,
  };
}
