// FleetStatus and NodeStatus <-> weft.v1, between the coordinator and the command line.
import type * as wire from "../gen/weft/v1/control.ts";
import type { RolloutStatus as RolloutMessage } from "../gen/weft/v1/rollout.ts";
import type { FleetStatus, NodeState, NodeStatus, RolloutStatus, Verdict } from "../model/fleet.ts";
import { decodeFacts, encodeFacts } from "./facts-codec.ts";
import { oneOf, present, toNumber } from "./number.ts";
import { decodeConditions, decodeReport, encodeCondition, encodeReport } from "./report-codec.ts";

const states: readonly NodeState[] = ["Online", "Late", "Lost", "Joining", "Suspended", "Banned", "Absent"];
const verdicts: readonly Verdict[] = ["ENFORCED", "APPLYING", "REVERTED", "DRIFTED", "STALE"];

export function encodeNodeStatus(status: NodeStatus): wire.NodeStatus {
  return {
    ...status,
    wantedRevision: BigInt(status.wantedRevision),
    enforcedRevision: BigInt(status.enforcedRevision),
    wantedGeneration: BigInt(status.wantedGeneration),
    report: status.report === undefined ? undefined : encodeReport(status.report),
    facts: status.facts === undefined ? undefined : encodeFacts(status.facts),
  };
}

export function decodeNodeStatus(message: wire.NodeStatus): NodeStatus {
  return {
    name: message.name,
    address: message.address,
    state: oneOf(message.state, states, "node state"),
    enforcement: oneOf(message.enforcement, ["nftables", "cilium"], "enforcement"),
    wantedRevision: toNumber(message.wantedRevision, "wanted revision"),
    enforcedRevision: toNumber(message.enforcedRevision, "enforced revision"),
    wantedGeneration: toNumber(message.wantedGeneration, "wanted generation"),
    verdict: oneOf(message.verdict, verdicts, "verdict"),
    lastSeen: message.lastSeen,
    report: message.report === undefined ? undefined : decodeReport(message.report),
    facts: message.facts === undefined ? undefined : decodeFacts(message.facts),
    agentVersion: message.agentVersion,
  };
}

function encodeRollout(status: RolloutStatus): RolloutMessage {
  return {
    ...status,
    revision: BigInt(status.revision),
    base: BigInt(status.base),
    takenBackAs: BigInt(status.takenBackAs),
    waitingFor: [...status.waitingFor],
    absent: [...status.absent],
  };
}

function decodeRollout(message: RolloutMessage): RolloutStatus {
  return {
    ...message,
    revision: toNumber(message.revision, "revision of a rollout"),
    base: toNumber(message.base, "revision before a rollout"),
    state: oneOf(message.state, ["running", "stopped"], "state of a rollout"),
    takenBackAs: toNumber(message.takenBackAs, "revision after a rollout"),
  };
}

export function encodeFleetStatus(status: FleetStatus): wire.FleetStatus {
  return {
    mesh: status.mesh,
    trustDomain: status.trustDomain,
    revision: BigInt(status.revision),
    at: status.at,
    nodes: status.nodes.map(encodeNodeStatus),
    conditions: status.conditions.map(encodeCondition),
    coordinatorSvidExpires: status.coordinatorSvidExpires,
    rollout: status.rollout === undefined ? undefined : encodeRollout(status.rollout),
  };
}

export function decodeFleetStatus(message: wire.FleetStatus): FleetStatus {
  return {
    mesh: message.mesh,
    trustDomain: message.trustDomain,
    revision: toNumber(message.revision, "revision"),
    at: present(message.at, "status time"),
    nodes: message.nodes.map(decodeNodeStatus),
    conditions: decodeConditions(message.conditions),
    coordinatorSvidExpires: message.coordinatorSvidExpires,
    rollout: message.rollout === undefined ? undefined : decodeRollout(message.rollout),
  };
}
