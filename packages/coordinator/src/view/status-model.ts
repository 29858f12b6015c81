// In: the fleet as the coordinator sees it. Out: what is shown of it: a row per node, the sentences worth reading. Pure;
// "now" is the coordinator's own clock, so that a wrong clock on the operator's machine changes nothing.
import { conditionKinds, type Severity, visibleConditions } from "@weft/shared/model/condition";
import type { FleetStatus, NodeStatus, RolloutStatus } from "@weft/shared/model/fleet";
import { floorSentence } from "@weft/shared/model/floor";
import type { Condition } from "@weft/shared/model/report";
import { durationText, untilText } from "./duration-text.ts";
import { printable, type Tone } from "./paint.ts";

export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

export interface StatusRow {
  readonly name: string;
  readonly state: Cell;
  readonly address: string;
  readonly enforcement: string;
  readonly revision: Cell;
  readonly identity: Cell;
  readonly dns: Cell;
  /** The worst condition as a sentence. */
  readonly worst: Cell;
}

/** One sentence of the health block. */
export interface Remark {
  /** A node's name, or "coordinator". */
  readonly about: string;
  readonly code: string;
  readonly severity: Severity;
  readonly sentence: string;
  readonly hint: string;
}

export interface StatusModel {
  readonly headline: string;
  /** How far a change is, or that the last one was stopped; undefined: neither. */
  readonly rollout: Cell | undefined;
  readonly rows: readonly StatusRow[];
  readonly remarks: readonly Remark[];
}

const toneOfSeverity: Record<Severity, Tone> = { error: "bad", warning: "doubtful", info: "quiet" };
const toneOfState: Record<NodeStatus["state"], Tone> = {
  Online: "good",
  Late: "doubtful",
  Lost: "bad",
  Joining: "doubtful",
  Suspended: "bad",
  Banned: "bad",
  Absent: "quiet",
};
const toneOfVerdict: Record<NodeStatus["verdict"], Tone> = {
  ENFORCED: "good",
  APPLYING: "doubtful",
  REVERTED: "bad",
  DRIFTED: "bad",
  STALE: "bad",
};

/** What the operator does about a node that two machines claim to be. */
export function suspendedHint(name: string): string {
  return `two machines claim it (JOIN_CONFLICT in weft status): find the right one, then weft node add ${name}`;
}

export function sentenceOf(condition: Condition): string {
  const { title } = conditionKinds[condition.code];
  return condition.detail === "" ? title : `${title}: ${printable(condition.detail)}`;
}

function revisionCell(node: NodeStatus): Cell {
  if (node.state === "Absent") return { text: "-", tone: "quiet" };
  const { wantedRevision: wanted, enforcedRevision: enforced, verdict } = node;
  const numbers = wanted === enforced ? `${wanted}` : `${enforced} of ${wanted}`;
  // the rest of it is in force, and never silently
  if (verdict === "ENFORCED" && floorSentence(node.report?.floor) !== "")
    return { text: `${verdict} ${numbers}, floor`, tone: "doubtful" };
  return { text: `${verdict} ${numbers}`, tone: toneOfVerdict[verdict] };
}

function identityCell(node: NodeStatus, now: Date): Cell {
  const identity = node.report?.identity;
  const text = untilText(identity?.nodeSvidExpires, now);
  if (text === "-") return { text, tone: "quiet" };
  if (text === "expired") return { text, tone: "bad" };
  return identity?.spireAgentHealthy === true
    ? { text, tone: "plain" }
    : { text: `${text}, no agent`, tone: "bad" };
}

function dnsCell(node: NodeStatus): Cell {
  const dns = node.report?.dns;
  if (dns === undefined) return { text: "-", tone: "quiet" };
  if (dns.state === "in-force") return { text: dns.mode, tone: "plain" };
  return dns.state === "failed" ? { text: "failed", tone: "bad" } : { text: "off", tone: "quiet" };
}

function worstCell(node: NodeStatus, now: Date): Cell {
  if (node.state === "Absent")
    return { text: `in the mesh file, not joined yet: weft node add ${node.name}`, tone: "quiet" };
  if (node.state === "Suspended") return { text: suspendedHint(node.name), tone: "bad" };
  if (node.state === "Banned") return { text: "banned", tone: "bad" };
  if ((node.state === "Lost" || node.state === "Late") && node.lastSeen !== undefined)
    return {
      text: `not heard from for ${durationText(now.getTime() - node.lastSeen.getTime())}; its rules stay in force`,
      tone: toneOfState[node.state],
    };
  const [worst] = visibleConditions(node.report?.conditions ?? []);
  if (worst === undefined) return { text: "", tone: "plain" };
  // The first clause: all of it stands below the table.
  const [sentence = ""] = sentenceOf(worst).split("; ");
  return { text: sentence, tone: toneOfSeverity[conditionKinds[worst.code].severity] };
}

function remarksOf(about: string, conditions: readonly Condition[]): Remark[] {
  return visibleConditions(conditions).map((condition) => ({
    about,
    code: condition.code,
    severity: conditionKinds[condition.code].severity,
    sentence: sentenceOf(condition),
    hint: conditionKinds[condition.code].hint,
  }));
}

function headlineOf(fleet: FleetStatus): string {
  const joined = fleet.nodes.filter(({ state }) => state !== "Absent");
  const enforced = joined.filter(({ state, verdict }) => state === "Online" && verdict === "ENFORCED");
  const absent = fleet.nodes.length - joined.length;
  return [
    `mesh ${fleet.mesh} (${fleet.trustDomain})`,
    fleet.revision === 0 ? "no mesh file applied yet" : `revision ${fleet.revision}`,
    `${enforced.length} of ${joined.length} nodes online and enforcing`,
    ...(absent === 0 ? [] : [`${absent} not joined`]),
  ].join(", ");
}

function rolloutCell(rollout: RolloutStatus): Cell {
  const { revision, base, wave, waves, nodes, given, waitingFor, absent, why, takenBackAs } = rollout;
  if (rollout.state === "stopped") {
    const back =
      takenBackAs === 0
        ? "nothing was taken back"
        : `revision ${takenBackAs} has the files of revision ${base} again`;
    return { text: `revision ${revision} was stopped: ${printable(why)}; ${back}`, tone: "bad" };
  }
  const text = [
    `revision ${revision} is rolled out: wave ${wave} of ${waves}, given to ${given} of ${nodes} nodes`,
    ...(waitingFor.length === 0 ? [] : [`waiting for ${waitingFor.join(", ")}`]),
    ...(absent.length === 0 ? [] : [`absent: ${absent.join(", ")}`]),
    `revision ${base} holds elsewhere`,
  ].join("; ");
  return { text, tone: "doubtful" };
}

const byName = (a: NodeStatus, b: NodeStatus) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

export function statusModel(fleet: FleetStatus): StatusModel {
  const nodes = [...fleet.nodes].sort(byName);
  return {
    headline: headlineOf(fleet),
    rollout: fleet.rollout === undefined ? undefined : rolloutCell(fleet.rollout),
    rows: nodes.map((node) => ({
      name: node.name,
      state: { text: node.state, tone: toneOfState[node.state] },
      address: node.address,
      enforcement: node.enforcement,
      revision: revisionCell(node),
      identity: identityCell(node, fleet.at),
      dns: dnsCell(node),
      worst: worstCell(node, fleet.at),
    })),
    remarks: [
      ...remarksOf("coordinator", fleet.conditions),
      ...nodes.flatMap((node) => remarksOf(node.name, node.report?.conditions ?? [])),
    ],
  };
}
