// In: one node's status. Out: all that is known of it, a line each. Pure.
import { hookPlace } from "@weft/shared/kernel-verdict/foreign-hooks";
import { ciliumLines } from "@weft/shared/model/cilium";
import { conditionKinds, visibleConditions } from "@weft/shared/model/condition";
import type { NodeFacts } from "@weft/shared/model/facts";
import type { NodeStatus } from "@weft/shared/model/fleet";
import { refusalSentence } from "@weft/shared/model/floor";
import type { CutReport, NodeReport } from "@weft/shared/model/report";
import { cutText } from "./cut-text.ts";
import { durationText, instantText, untilText } from "./duration-text.ts";
import { type Paint, printable } from "./paint.ts";
import { sentenceOf, suspendedHint } from "./status-model.ts";

type Field = readonly [string, string];

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

function factFields(facts: NodeFacts): Field[] {
  const loads = facts.bpfProgramTypes.filter((type) => type.loads).map((type) => type.name);
  return [
    ["machine", `${facts.hostname}, ${facts.os}, ${facts.architecture}`],
    ["kernel", `${facts.kernel}, systemd ${facts.systemd}, nft ${facts.nft}`],
    ["hardware", `${facts.cpus} CPUs (${facts.cpuModel}), ${Math.round(facts.memoryBytes / 2 ** 20)} MiB`],
    [
      "BPF",
      `BTF ${yesNo(facts.btf)}, bpffs ${yesNo(facts.bpffs)}, cgroup2 ${yesNo(facts.cgroup2)}; loads ${loads.join(" ") || "nothing"}`,
    ],
    ...ciliumLines(facts.ciliumVerdicts).map((line, index): Field => [index === 0 ? "Cilium" : "", line]),
    ["resolver", `${facts.dnsOwner.owner}: ${facts.dnsOwner.evidence}`],
    ...facts.interfaces.map(
      (card): Field => [
        "interface",
        `${card.name} ${card.up ? "up" : "down"} ${card.mac} mtu ${card.mtu} ${card.addresses.join(" ")}`,
      ],
    ),
    ...facts.components.map((part): Field => ["component", `${part.name} ${part.version} (${part.source})`]),
    ...facts.foreignHooks
      .filter((hook) => hook.refuses || hook.type === "nat")
      .map((hook): Field => ["beside Weft", `${hookPlace(hook)}: ${hook.effect}`]),
    ...facts.trouble.map((text): Field => ["trouble", text]),
  ];
}

const floorWords = {
  none: "none: the coordinator alone says what this node opens",
  "in-force": "in force",
  broken: "broken: nothing new is taken",
} as const;

function floorFields(floor: NodeReport["floor"]): Field[] {
  if (floor === undefined) return [];
  const left: Field[] = floor.leftOut === 0 ? [] : [["", `and ${floor.leftOut} more`]];
  const refusals = floor.refusals.map((refusal): Field => ["", refusalSentence(refusal)]);
  return [["floor", floorWords[floor.state]], ...refusals, ...left];
}

function reportFields(report: NodeReport, now: Date): Field[] {
  const { identity, dns } = report;
  const healthy = identity.spireAgentHealthy ? "healthy" : "not healthy";
  return [
    [
      "enforced",
      `revision ${report.enforcedRevision} since ${instantText(report.enforcedAt)}, says ${report.witness || "nobody"}`,
    ],
    ...(report.cut === undefined ? [] : [cutField(report.cut)]),
    ["node SVID", `good for ${untilText(identity.nodeSvidExpires, now)}`],
    [
      "SPIRE agent",
      `${healthy}, ${identity.spireAgentId || "no ID"}, SVID good for ${untilText(identity.spireAgentSvidExpires, now)}`,
    ],
    ...floorFields(report.floor),
    ["names", `${dns.mode}, ${dns.state}${dns.detail === "" ? "" : `: ${dns.detail}`}`],
    ...report.steps
      .filter((step) => step.result !== "done")
      .map((step): Field => ["step", `${step.step} ${step.subject} ${step.result}: ${step.detail}`]),
  ];
}

function cutField(cut: CutReport): Field {
  const words = cutText(cut) || "no established flow was forbidden";
  return ["cut", `${words} (${cut.occasion} ${instantText(cut.at)}, generation ${cut.generation})`];
}

const labelWidth = 13;

export function renderNodeDetails(node: NodeStatus, now: Date, paint: Paint): string[] {
  const seen =
    node.lastSeen === undefined ? "never" : `${durationText(now.getTime() - node.lastSeen.getTime())} ago`;
  const fields: Field[] = [
    ["state", `${node.state}, last seen ${seen}`],
    ...(node.state === "Suspended" ? [["what to do", suspendedHint(node.name)] as const] : []),
    ["address", node.address],
    ["revision", `${node.verdict}, ${node.enforcedRevision} of ${node.wantedRevision} (${node.enforcement})`],
    ["agent", node.agentVersion || "-"],
    ...(node.report === undefined ? [] : reportFields(node.report, now)),
    ...(node.facts === undefined ? [] : factFields(node.facts)),
  ];
  const lines = fields.map(
    ([label, text]) => `${paint("quiet", label.padEnd(labelWidth))}  ${printable(text)}`,
  );
  for (const condition of visibleConditions(node.report?.conditions ?? [])) {
    const { severity, hint } = conditionKinds[condition.code];
    lines.push(
      `${paint(severity === "error" ? "bad" : "doubtful", severity.padEnd(labelWidth))}  ${sentenceOf(condition)} (${condition.code})`,
    );
    lines.push(`${" ".repeat(labelWidth)}  ${hint}`);
  }
  return [node.name, ...lines];
}
