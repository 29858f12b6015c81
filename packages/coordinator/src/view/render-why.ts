// In: the coordinator's answer to `weft why`. Out: its lines, and its JSON (docs/why.md). Pure.
import { type Paint, printable, type Tone } from "./paint.ts";

export interface WhyStepView {
  readonly kind: string;
  readonly verdict: string;
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

export interface ProofView {
  /** undefined: no connection was made. */
  readonly at: Date | undefined;
  readonly node: string;
  readonly user: string;
  readonly outcome: string;
  readonly errno: string;
  readonly agreement: string;
  readonly sentence: string;
  readonly note: string;
}

export interface WhyPathView {
  readonly from: string;
  readonly to: string;
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly port: number;
  readonly verdict: string;
  readonly sentence: string;
  readonly strength: string;
  readonly steps: readonly WhyStepView[];
  readonly patch: string;
  readonly patchNote: string;
  /** undefined: it was not asked for. */
  readonly proof: ProofView | undefined;
}

export interface WhyView {
  readonly paths: readonly WhyPathView[];
  readonly leftOut: number;
}

const verdictTones: Readonly<Record<string, Tone>> = {
  allowed: "good",
  ok: "good",
  refused: "bad",
  bad: "bad",
  unknown: "doubtful",
};
const words: Readonly<Record<string, string>> = {
  ok: "ok",
  refused: "REFUSED",
  bad: "!",
  unknown: "UNKNOWN",
};
const strengths: Readonly<Record<string, string>> = {
  "address+uid": "address and uid: root on the sender, or whoever can use its address, counts as the service",
  address: "address alone: whoever can use it counts as the sender",
  mtls: "mutual TLS",
};

function toneOf(verdict: string): Tone {
  return verdictTones[verdict] ?? "plain";
}

function stepLines(step: WhyStepView, paint: Paint, trace: boolean): string[] {
  const word = paint(toneOf(step.verdict), (words[step.verdict] ?? step.verdict).padEnd(8));
  const witness =
    step.witness === ""
      ? ""
      : ` (${step.witness}${step.revision === 0 ? "" : `, revision ${step.revision}`})`;
  const rules = trace ? step.trace.map((line) => `                     ${printable(line)}`) : [];
  return [
    `  ${step.kind.padEnd(9)} ${word} ${printable(`${step.text}${witness}`)}`,
    ...step.remarks.map((remark) => `                     ${paint("doubtful", printable(remark))}`),
    ...rules,
  ];
}

function proofLines({ at, sentence, agreement, note }: ProofView, paint: Paint): string[] {
  if (at === undefined) return [`  ${paint("doubtful", "not proved")}: ${printable(sentence)}`];
  if (agreement === "disagrees")
    return [`  proved: ${printable(sentence)}`, `  ${paint("bad", "DISAGREES")}: ${printable(note)}`];
  return [`  proved: ${printable(`${sentence}; ${note}`)}`];
}

function pathLines(path: WhyPathView, paint: Paint, trace: boolean): string[] {
  const title = `${path.from} -> ${path.to} ${path.destination}${path.protocol === "icmp" ? " (ping)" : `:${path.port}/${path.protocol}`}`;
  const patch = path.patch.trimEnd();
  const turn = path.verdict === "refused" ? "to allow it" : "to refuse it";
  return [
    `${paint(toneOf(path.verdict), path.verdict.toUpperCase())}  ${printable(title)}`,
    `  ${printable(path.sentence)}`,
    ...(path.proof === undefined ? [] : proofLines(path.proof, paint)),
    "",
    ...path.steps.flatMap((step) => stepLines(step, paint, trace)),
    ...(path.strength === "" ? [] : [`  strength  ${strengths[path.strength] ?? path.strength}`]),
    ...(path.patchNote === "" ? [] : ["", `${turn}: ${printable(path.patchNote)}`]),
    ...(patch === ""
      ? []
      : patch
          .split("\n")
          .map(
            (line) =>
              `  ${paint(line.startsWith("+") ? "good" : line.startsWith("-") ? "bad" : "quiet", printable(line))}`,
          )),
  ];
}

export function renderWhy({ paths, leftOut }: WhyView, paint: Paint, trace: boolean): string[] {
  return [
    ...paths.flatMap((path, index) => [...(index === 0 ? [] : [""]), ...pathLines(path, paint, trace)]),
    ...(leftOut === 0 ? [] : ["", `${leftOut} more pairs of instances and ports were not asked`]),
  ];
}

/** All paths together: "mixed" when instances differ. */
export function overallVerdict({ paths }: WhyView): string {
  const verdicts = [...new Set(paths.map(({ verdict }) => verdict))];
  return verdicts.length === 1 ? (verdicts[0] ?? "unknown") : verdicts.length === 0 ? "unknown" : "mixed";
}

/** A real connection met something else than the rules say. */
export function hasDisagreement({ paths }: WhyView): boolean {
  return paths.some(({ proof }) => proof?.agreement === "disagrees");
}

const agreements: Readonly<Record<string, boolean>> = { agrees: true, disagrees: false };

export function proofJson({ at, node, user, outcome, errno, agreement, sentence, note }: ProofView) {
  return {
    at: at?.toISOString() ?? null,
    user: user || null,
    node: node || null,
    outcome,
    errno: errno || null,
    agrees: agreements[agreement] ?? null,
    sentence,
    note: note || null,
  };
}

export function whyJson(why: WhyView) {
  const none = <T>(value: T, empty: T): T | null => (value === empty ? null : value);
  return {
    verdict: overallVerdict(why),
    leftOut: why.leftOut,
    paths: why.paths.map((path) => ({
      ...path,
      strength: none(path.strength, ""),
      patch: none(path.patch, ""),
      patchNote: none(path.patchNote, ""),
      proof: path.proof === undefined ? null : proofJson(path.proof),
      steps: path.steps.map((step) => ({
        ...step,
        policy: none(step.policy, ""),
        file: none(step.file, ""),
        line: none(step.line, 0),
        witness: none(step.witness, ""),
        revision: none(step.revision, 0),
        digest: none(step.digest, ""),
      })),
    })),
  };
}
