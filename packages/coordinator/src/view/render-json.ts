// In: the fleet or one node. Out: the one JSON shape that programs may rely on (docs/status-json.md). Pure.
// Fields are only ever added. What is unknown is null, never left out. Times are ISO 8601 in UTC.
import { conditionKinds } from "@weft/shared/model/condition";
import type { NodeFacts } from "@weft/shared/model/facts";
import type { FleetStatus, NodeState, NodeStatus, RolloutStatus, Verdict } from "@weft/shared/model/fleet";
import type { FloorReport } from "@weft/shared/model/floor";
import type { Condition, CutOccasion, DnsReport, Phase } from "@weft/shared/model/report";

export interface ConditionJson {
  readonly code: string;
  readonly severity: string;
  readonly title: string;
  readonly detail: string;
  readonly since: string;
  readonly hint: string;
}

export interface NodeJson {
  readonly name: string;
  readonly state: NodeState;
  readonly address: string;
  readonly enforcement: string;
  readonly revision: {
    readonly wanted: number;
    readonly enforced: number;
    readonly verdict: Verdict;
    readonly phase: Phase | null;
    readonly enforcedAt: string | null;
    readonly witness: string | null;
  };
  readonly identity: {
    readonly nodeSvidExpires: string | null;
    readonly spireAgentId: string | null;
    readonly spireAgentHealthy: boolean;
    readonly spireAgentSvidExpires: string | null;
  };
  readonly dns: {
    readonly mode: DnsReport["mode"] | null;
    readonly state: string | null;
    readonly detail: string;
  };
  readonly cut: {
    readonly occasion: CutOccasion;
    readonly generation: number;
    readonly ended: number;
    readonly leftUnknown: number;
    readonly failed: number;
    readonly kept: number;
    readonly at: string;
  } | null;
  readonly floor: FloorReport | null;
  readonly conditions: readonly ConditionJson[];
  readonly facts: NodeFacts | null;
  readonly lastSeen: string | null;
  readonly agentVersion: string | null;
}

export interface FleetJson {
  readonly mesh: string;
  readonly trustDomain: string;
  readonly revision: number;
  readonly at: string;
  readonly coordinatorSvidExpires: string | null;
  readonly nodes: readonly NodeJson[];
  readonly conditions: readonly ConditionJson[];
  readonly rollout: RolloutStatus | null;
}

const timeOf = (at: Date | undefined): string | null => at?.toISOString() ?? null;
const textOf = (text: string | undefined): string | null => (text === undefined || text === "" ? null : text);

function conditionJson(condition: Condition): ConditionJson {
  const { severity, title, hint } = conditionKinds[condition.code];
  return {
    code: condition.code,
    severity,
    title,
    detail: condition.detail,
    since: condition.since.toISOString(),
    hint,
  };
}

export function nodeJson(node: NodeStatus): NodeJson {
  const { report } = node;
  return {
    name: node.name,
    state: node.state,
    address: node.address,
    enforcement: node.enforcement,
    revision: {
      wanted: node.wantedRevision,
      enforced: node.enforcedRevision,
      verdict: node.verdict,
      phase: report?.phase ?? null,
      enforcedAt: timeOf(report?.enforcedAt),
      witness: textOf(report?.witness),
    },
    identity: {
      nodeSvidExpires: timeOf(report?.identity.nodeSvidExpires),
      spireAgentId: textOf(report?.identity.spireAgentId),
      spireAgentHealthy: report?.identity.spireAgentHealthy ?? false,
      spireAgentSvidExpires: timeOf(report?.identity.spireAgentSvidExpires),
    },
    dns: {
      mode: report?.dns.mode ?? null,
      state: report?.dns.state ?? null,
      detail: report?.dns.detail ?? "",
    },
    cut: report?.cut === undefined ? null : { ...report.cut, at: report.cut.at.toISOString() },
    floor: report?.floor ?? null,
    conditions: (report?.conditions ?? []).map(conditionJson),
    facts: node.facts ?? null,
    lastSeen: timeOf(node.lastSeen),
    agentVersion: textOf(node.agentVersion),
  };
}

export function fleetJson(fleet: FleetStatus): FleetJson {
  return {
    mesh: fleet.mesh,
    trustDomain: fleet.trustDomain,
    revision: fleet.revision,
    at: fleet.at.toISOString(),
    coordinatorSvidExpires: timeOf(fleet.coordinatorSvidExpires),
    nodes: fleet.nodes.map(nodeJson).sort((a, b) => (a.name < b.name ? -1 : 1)),
    conditions: fleet.conditions.map(conditionJson),
    rollout: fleet.rollout ?? null,
  };
}

/** JSON has no 64-bit integers: bigints become numbers where that is exact, else text. */
function plainNumbers(_key: string, item: unknown): unknown {
  if (typeof item !== "bigint") return item;
  const number = Number(item);
  return Number.isSafeInteger(number) ? number : item.toString();
}

export function renderJson(value: unknown): string {
  return JSON.stringify(value, plainNumbers, 2);
}

/** For streams: one document, one line. */
export function renderJsonLine(value: unknown): string {
  return JSON.stringify(value, plainNumbers);
}
