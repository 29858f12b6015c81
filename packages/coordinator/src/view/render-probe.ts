// In: what was probed after an apply, and how it came out. Out: its lines, and its JSON (docs/rollout.md). Pure.
import { type Paint, printable } from "./paint.ts";
import { type ProofView, proofJson } from "./render-why.ts";

/** What is going to be probed. */
export interface ProbingView {
  readonly basis: string;
  readonly flows: number;
  readonly leftOut: number;
  readonly partly: boolean;
  /** 0: none, or no other. */
  readonly revisionBefore: number;
  /** Why there is no probe; else empty. */
  readonly notMade: string;
}

export interface ProbeView {
  readonly from: string;
  readonly fromNode: string;
  readonly to: string;
  readonly toNode: string;
  readonly portName: string;
  readonly port: number;
  readonly meant: string;
  readonly rules: string;
  readonly result: string;
  readonly note: string;
  readonly proof: ProofView | undefined;
}

export interface ProbesView extends ProbingView {
  readonly probes: readonly ProbeView[];
}

export function noProbes(notMade: string): ProbesView {
  const nothing = { basis: "", flows: 0, leftOut: 0, partly: false, revisionBefore: 0 };
  return { ...nothing, notMade, probes: [] };
}

const countText = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

/** What is going to be probed, or why nothing is. */
export function probingText({ basis, flows, leftOut, partly, notMade }: ProbingView): string {
  if (notMade !== "") return `no probe was made: ${printable(notMade)}`;
  const more = leftOut === 0 ? "" : `; ${leftOut} more left out`;
  const large = partly ? "; the mesh is too large to compare every pair of instances" : "";
  if (basis === "turned")
    return `probing ${countText(flows, "TCP flow")} between services that the change turns${more}${large}`;
  const why =
    basis === "first"
      ? "there was no mesh before"
      : `the change turns no TCP flow between services${partly ? " among those compared" : ""}`;
  const what =
    flows === 0
      ? "nothing is probed, the mesh allows none"
      : `probing ${flows} that the mesh allows, one for each policy`;
  return `${why}: ${what}${more}${large}`;
}

function connectionText({ outcome, errno }: ProofView): string {
  return outcome === "unreachable" ? `could not be made (${errno})` : outcome;
}

export function probeText(probe: ProbeView, paint: Paint): string {
  const { from, fromNode, to, toNode, portName, port, rules, result, note, proof } = probe;
  const title = printable(`probe: ${from} -> ${to} ${portName} ${port}/tcp`);
  if (result === "not-proved" || proof === undefined)
    return `${title}: ${paint("doubtful", "not proved")}: ${printable(note)}`;
  const found = printable(`${rules} by the rules, ${connectionText(proof)}`);
  if (result === "agrees") return `${title}: ${found}; ${paint("good", "agrees")}`;
  const where = printable(`(${fromNode} -> ${toNode}): ${note}`);
  return `${title}: ${found}; ${paint("bad", "DISAGREES")} ${where}`;
}

function tally({ probes }: ProbesView) {
  const count = (wanted: string) => probes.filter(({ result }) => result === wanted).length;
  const agree = count("agrees");
  const disagree = count("disagrees");
  return { agree, disagree, notProved: probes.length - agree - disagree };
}

export function probesText(probes: ProbesView): string {
  const { agree, disagree, notProved } = tally(probes);
  return `probe: ${agree} agree, ${disagree} DISAGREE, ${notProved} not proved`;
}

export function firstDisagreement({ probes }: ProbesView): ProbeView | undefined {
  return probes.find(({ result }) => result === "disagrees");
}

/** What to do about it; nothing was done about it so far. */
export function disagreementLines({ from, to, port }: ProbeView, revisionBefore: number): string[] {
  const ask = printable(`\`weft why ${from} ${to} ${port} --prove\` looks again`);
  const back = revisionBefore === 0 ? "" : `; \`weft rollback ${revisionBefore}\` takes the change back`;
  return ["the change is in force, and nothing was taken back", `  Do: ${ask}${back}`];
}

export function probesJson(all: ProbesView) {
  const none = <T>(value: T, empty: T): T | null => (value === empty ? null : value);
  const { basis, leftOut, partly, revisionBefore, notMade, probes } = all;
  return {
    notMade: none(notMade, ""),
    basis: none(basis, ""),
    leftOut,
    partly,
    revisionBefore: none(revisionBefore, 0),
    ...tally(all),
    flows: probes.map((probe) => ({
      ...probe,
      rules: none(probe.rules, ""),
      proof: probe.proof === undefined ? null : proofJson(probe.proof),
    })),
  };
}
