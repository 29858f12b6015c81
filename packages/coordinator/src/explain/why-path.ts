// In: the ends of one connection and what the kernels on its way answered. Out: the verdict, in steps and words. Pure.
import type { Strength } from "@weft/shared/model/desired";
import type { NodeStatus } from "@weft/shared/model/fleet";
import { type FloorReport, floorPath, floorSentence } from "@weft/shared/model/floor";
import type { KernelAnswer, NoAnswer } from "@weft/shared/model/observation";
import { type Identity, identityText } from "./identify.ts";

export interface WhyStep {
  readonly kind: "name" | "sender" | "forward" | "receiver" | "cilium" | "listener" | "identity";
  readonly verdict: "ok" | "refused" | "unknown" | "bad";
  readonly text: string;
  readonly policy: string;
  readonly file: string;
  readonly line: number;
  readonly witness: string;
  readonly revision: number;
  readonly digest: string;
  readonly trace: readonly string[];
  readonly remarks: readonly string[];
}

export type WhyVerdict = "allowed" | "refused" | "unknown";

export interface HookAnswer {
  readonly kind: "sender" | "forward" | "receiver";
  readonly node: string;
  readonly answer: KernelAnswer | NoAnswer;
  /** What the node's own floor refused of it. */
  readonly floor?: FloorReport | undefined;
  /** Digest and revision the node should carry. */
  readonly wanted: { readonly revision: number; readonly digest: string } | undefined;
}

/** At an endpoint of Cilium. */
export interface EndpointStep {
  readonly node: string;
  readonly step: WhyStep;
}

export interface PathVerdict {
  readonly verdict: WhyVerdict;
  readonly sentence: string;
  readonly strength: Strength;
  readonly steps: readonly WhyStep[];
}

export function plainStep(kind: WhyStep["kind"], verdict: WhyStep["verdict"], text: string): WhyStep {
  const nothing = { policy: "", file: "", line: 0, witness: "", revision: 0, digest: "" };
  return { kind, verdict, text, ...nothing, trace: [], remarks: [] };
}

function byWhom({ decidedBy, policy, file, line, audited }: KernelAnswer): string {
  switch (decidedBy) {
    case "policy":
      if (file === floorPath) return `by the floor of this node (${file}:${line})`;
      return `by ${policy} (${file}:${line})`;
    case "guard":
      if (policy === "banned") return "because a node is banned";
      return `by the ${policy === "guard" ? "administrators'" : policy} guard`;
    case "baseline":
      return `by the baseline (${file}:${line})${audited ? ", in audit: counted, not refused" : ""}`;
    case "other-table":
      return `by another table: ${policy}`;
    case "nothing-loaded":
      return "by nobody: Weft's table is not loaded";
    case "unjudged":
      return "by no rule: no policy is concerned with it";
    case "default":
      return audited
        ? "by audit: no policy allows it, and that is only counted"
        : "by default: no policy allows it";
  }
}

const words = {
  accept: "passes",
  drop: "is dropped",
  reject: "is refused",
  unknown: "is not known",
} as const;

export function hookStep({ kind, node, answer, wanted, floor }: HookAnswer): WhyStep {
  if ("problem" in answer) return plainStep(kind, "unknown", `${node} gives no answer: ${answer.problem}`);
  const { verdict, ownVerdict, others, revision, digest, uid } = answer;
  const remarks: string[] = [];
  for (const other of others) {
    const what = other.verdict === "unknown" ? `cannot be judged here (${other.whyUnknown})` : "refuses it";
    remarks.push(`another table also judges this hook: ${other.table}, and it ${what}`);
  }
  for (const assumed of answer.assumed) remarks.push(`taken for granted: ${assumed}`);
  if (wanted === undefined) remarks.push(`nothing was compiled for ${node}`);
  else if (wanted.digest !== digest)
    remarks.push(
      `the kernel of ${node} carries ${revision === 0 ? "no revision" : `revision ${revision}`}, and revision ` +
        `${wanted.revision} is wanted: this is what holds now`,
    );
  const isShut = answer.decidedBy === "default" && (verdict === "drop" || verdict === "reject");
  const refused = isShut ? floorSentence(floor) : "";
  if (refused !== "") remarks.push(`${node} does not have all that the mesh file says: ${refused}`);
  const who = kind === "sender" && uid !== undefined ? ` for uid ${uid}` : "";
  const own =
    verdict === "unknown" && ownVerdict !== undefined && ownVerdict !== "unknown"
      ? `${words.unknown}; by Weft's rules alone it ${words[ownVerdict]}`
      : words[verdict];
  const why = verdict === "unknown" && answer.whyUnknown !== "" ? ` (${answer.whyUnknown})` : "";
  return {
    kind,
    verdict: verdict === "accept" ? "ok" : verdict === "unknown" ? "unknown" : "refused",
    text: `${own}${who} ${verdict === "unknown" && ownVerdict === "unknown" ? "" : byWhom(answer)}${why}`.trimEnd(),
    policy: answer.decidedBy === "policy" ? answer.policy : "",
    file: answer.file,
    line: answer.line,
    witness: answer.witness,
    revision,
    digest,
    trace: answer.trace,
    remarks,
  };
}

export function listenerStep(
  answer: Pick<KernelAnswer, "listeners"> | NoAnswer | undefined,
  expected: string,
  port: string,
): WhyStep[] {
  if (answer === undefined || "problem" in answer) return [];
  const { listeners } = answer;
  const names = listeners.map(({ address, uid, user }) => `${user || `uid ${uid}`} on ${address}`);
  if (listeners.length === 0) return [plainStep("listener", "bad", `nothing listens on ${port}`)];
  const isOther = expected !== "" && listeners.every(({ user }) => user !== expected);
  const text = `${names.join(", ")} listens on ${port}${isOther ? `, and not user ${expected}` : ""}`;
  return [plainStep("listener", isOther ? "bad" : "ok", text)];
}

export function identityStep(end: Identity, status: NodeStatus | undefined): WhyStep {
  const who = identityText(end);
  if (end.spiffeId === "") return plainStep("identity", "ok", `${who} has no service identity`);
  const entry = `${who} is ${end.spiffeId} by its registration entry`;
  const identity = status?.report?.identity;
  if (identity === undefined)
    return plainStep("identity", "unknown", `${entry}; its node has reported nothing`);
  if (!identity.spireAgentHealthy)
    return plainStep("identity", "bad", `${entry}; the SPIRE agent of ${end.node} is not healthy`);
  return plainStep("identity", "ok", `${entry}; the SPIRE agent of ${end.node} is healthy`);
}

interface Judged {
  readonly where: string;
  readonly step: WhyStep;
}

/**
 * @param hooks in the order of the packet's way
 * @param endpoints what Cilium judges beside them
 * @param before after steps that decide nothing
 */
export function pathVerdict(
  hooks: readonly HookAnswer[],
  endpoints: readonly EndpointStep[],
  before: readonly WhyStep[],
  after: readonly WhyStep[],
): PathVerdict {
  const judged: Judged[] = [
    ...hooks.map((hook) => ({ where: `at the ${hook.kind}, ${hook.node}`, step: hookStep(hook) })),
    ...endpoints.map(({ node, step }) => ({ where: `at Cilium on ${node}`, step })),
  ];
  const refused = judged.find(({ step }) => step.verdict === "refused");
  const doubtful = judged.find(({ step }) => step.verdict === "unknown");
  const steps = [...before, ...judged.map(({ step }) => step), ...after];
  const strength: Strength = hooks.some(
    ({ kind, answer }) => kind === "sender" && !("problem" in answer) && answer.strength === "address+uid",
  )
    ? "address+uid"
    : "address";
  const deciding = refused ?? doubtful;
  const verdict: WhyVerdict =
    refused !== undefined ? "refused" : doubtful !== undefined || judged.length === 0 ? "unknown" : "allowed";
  const bad = steps.find((step) => step.verdict === "bad" && step.kind === "listener");
  const sentence =
    deciding === undefined
      ? judged.length === 0
        ? "no node of the mesh is on this way"
        : `every kernel on the way lets it pass${bad === undefined ? "" : `, but ${bad.text}`}`
      : `${deciding.where}: it ${deciding.step.text}`;
  return { verdict, sentence, strength, steps };
}
