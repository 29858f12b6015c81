// In: what the coordinator says of the probes after an apply. Out: told line by line; at the end what they come to, and
// the exit code. Exit 1: one of them disagrees; else as if there had been none.
import type { ApplyProbe, ApplyProbing } from "@weft/shared/gen/weft/v1/probe";
import { toNumber } from "@weft/shared/wire/number";
import {
  disagreementLines,
  firstDisagreement,
  noProbes,
  type ProbesView,
  type ProbingView,
  probesText,
  probeText,
  probingText,
} from "../view/render-probe.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

export function tellNoProbe(notMade: string, terminal: Terminal): ProbesView {
  const none = noProbes(notMade);
  terminal.err(probingText(none));
  return none;
}

export function tellProbing(probing: ApplyProbing, terminal: Terminal): ProbesView {
  if (probing.notMade !== "") return tellNoProbe(probing.notMade, terminal);
  const revisionBefore = toNumber(probing.revisionBefore, "revision before");
  const view: ProbingView = { ...probing, revisionBefore };
  terminal.out(probingText(view));
  return { ...view, probes: [] };
}

export function tellProbe(probes: ProbesView, probe: ApplyProbe, terminal: Terminal): ProbesView {
  terminal.out(probeText(probe, terminal.paint));
  return { ...probes, probes: [...probes.probes, probe] };
}

export function areComplete({ flows, probes }: ProbesView): boolean {
  return probes.length >= flows;
}

/** @param exitCode of the apply itself */
export function tellProbesEnd(probes: ProbesView, exitCode: ExitCode, terminal: Terminal): ExitCode {
  if (probes.notMade !== "") return exitCode;
  terminal.out(probesText(probes));
  const first = firstDisagreement(probes);
  if (first === undefined) return exitCode;
  for (const line of disagreementLines(first, probes.revisionBefore)) terminal.err(line);
  return exitCodes.failed;
}
