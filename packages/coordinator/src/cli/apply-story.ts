// In: sources to be applied, and how. Out: told as it happens: the refusal, the acceptance, each wave, each kernel, the
// end, each probe; and the exit code. Used by whatever applies something: `apply`, `rollback`, `init`.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { ApplyEvent, ApplyNode } from "@weft/shared/gen/weft/v1/control";
import type { ApplyStopped, ApplyWave } from "@weft/shared/gen/weft/v1/rollout";
import { decodeProblem } from "@weft/shared/wire/problem-codec";
import { decodeCut } from "@weft/shared/wire/report-codec";
import type { OperatorSession, RiskCode } from "../guard/risk.ts";
import type { SourceText } from "../store/records.ts";
import { cutText } from "../view/cut-text.ts";
import { durationText } from "../view/duration-text.ts";
import { printable } from "../view/paint.ts";
import { renderJson } from "../view/render-json.ts";
import { firstDisagreement, noProbes, type ProbesView, probesJson } from "../view/render-probe.ts";
import { renderProblems } from "../view/render-problems.ts";
import { renderReplay } from "../view/render-replay.ts";
import { renderAcceptedRisks, renderRisks } from "../view/render-risks.ts";
import { type Tally, tellEnding } from "./apply-ending.ts";
import { areComplete, tellNoProbe, tellProbe, tellProbesEnd, tellProbing } from "./apply-probe.ts";
import type { CliContext } from "./context.ts";
import type { Control } from "./control.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import { decodeReplay } from "./replay-codec.ts";
import type { Terminal } from "./terminal.ts";

export interface ApplyWish {
  readonly sources: readonly SourceText[];
  readonly reason: string;
  readonly claimedBy: string;
  readonly wait: boolean;
  /** With `wait`: real connections once it is in force everywhere. */
  readonly probe: boolean;
  readonly timeoutSeconds: number;
  /** 0: the default. */
  readonly confirmTimeoutSeconds: number;
  /** Established flows that are forbidden now are left. */
  readonly keepEstablished: boolean;
  readonly acceptRisks: readonly RiskCode[];
  readonly operator: OperatorSession | undefined;
  /** Whatever the mesh file says of a rollout. */
  readonly atOnce: boolean;
  /** The revision these sources are of: a rollback. 0: none. */
  readonly restores: number;
}

export interface ApplyOutcome {
  readonly exitCode: ExitCode;
  readonly revision: number;
  /** undefined: none were asked for. */
  readonly probes?: ProbesView | undefined;
}

type Events = {
  readonly [Case in NonNullable<ApplyEvent["event"]>["$case"]]: Extract<
    ApplyEvent["event"],
    { $case: Case }
  >["value"];
};

function refused({ problems, message, risks }: Events["refused"], terminal: Terminal): ExitCode {
  const decoded = problems.map(decodeProblem);
  for (const line of renderProblems(decoded, terminal.paint)) terminal.err(line);
  if (decoded.some(({ severity }) => severity === "error")) {
    terminal.err(`${printable(message || "the mesh file has problems")}; nothing was changed (WEFT-E100)`);
    return exitCodes.usage;
  }
  for (const line of renderRisks(risks, terminal.paint)) terminal.err(line);
  terminal.err(`${printable(message || "the change was refused")}; nothing was changed (WEFT-E101)`);
  return exitCodes.refused;
}

function tellAccepted(accepted: Events["accepted"], terminal: Terminal): void {
  const { revision, nodes, unchanged } = accepted;
  terminal.out(
    unchanged
      ? `revision ${revision} says the same already`
      : `revision ${revision} accepted${nodes.length === 0 ? "" : ` for ${nodes.join(", ")}`}`,
  );
  for (const line of renderAcceptedRisks(accepted.risks, accepted.unneededRisks)) terminal.out(line);
  const replay = decodeReplay(accepted.replay);
  if (replay !== undefined && !unchanged)
    for (const line of renderReplay(replay, undefined, terminal.paint)) terminal.out(line);
}

function waveLine({ number, of, nodes, absent }: ApplyWave): string {
  const away = absent.length === 0 ? "" : `; absent, not waited for: ${absent.join(", ")}`;
  return `wave ${number} of ${of}${number === 1 ? " (canary)" : ""}: ${nodes.join(", ")}${away}`;
}

function stopLine({ why, takenBackAs, nodes }: ApplyStopped): string {
  const back = takenBackAs === 0n ? "" : `; taken back${nodes.length === 0 ? "" : ` on ${nodes.join(", ")}`}`;
  return `STOPPED: ${printable(why)}${back}`;
}

function nodeLine({ node, phase, afterMs, detail, enforcedAt }: ApplyNode): string {
  const isGood = phase === "enforced" || phase === "taken-back";
  const at =
    isGood && enforcedAt !== undefined ? [`at ${enforcedAt.toISOString().slice(11)} by its clock`] : [];
  const facts = [...(detail === "" ? [] : [printable(detail)]), ...at].join(", ");
  const more = facts === "" ? "" : isGood ? ` (${facts})` : `: ${facts}`;
  const word = phase === "reverted" ? "REVERTED" : phase === "taken-back" ? "taken back" : phase;
  return `  ${node} ${word} after ${durationText(afterMs)}${more}`;
}

/** Sends the sources and narrates what comes back. */
export async function applySources(
  control: Control,
  wish: ApplyWish,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ApplyOutcome> {
  const told = { enforced: new Set<string>(), failed: new Set<string>(), reverted: new Set<string>() };
  let inWaves = false;
  let isInForce = false;
  let stopped: Tally["stopped"];
  let revision = 0;
  let probes: ProbesView | undefined;
  const { restores, ...rest } = wish;
  const lists = { sources: [...wish.sources], acceptRisks: [...wish.acceptRisks] };
  const request = { ...rest, ...lists, baseRevision: 0n, restores: BigInt(restores) };
  for await (const { event } of control.apply(request, signal)) {
    switch (event?.$case) {
      case "refused":
        probes = wish.probe ? noProbes("nothing was changed") : undefined;
        return { exitCode: refused(event.value, terminal), revision, probes };
      case "accepted":
        revision = Number(event.value.revision);
        tellAccepted(event.value, terminal);
        break;
      case "wave":
        inWaves = true;
        terminal.out(waveLine(event.value));
        break;
      case "stopped":
        stopped = { why: event.value.why, takenBackAs: Number(event.value.takenBackAs) };
        terminal.out(stopLine(event.value));
        break;
      case "node": {
        const { node, phase } = event.value;
        for (const [name, nodes] of Object.entries(told))
          if (name === phase) nodes.add(node);
          else nodes.delete(node);
        terminal.out(nodeLine(event.value));
        break;
      }
      case "cut": {
        const { node, cut } = event.value;
        const words = cut === undefined ? "" : cutText(decodeCut(cut));
        if (words !== "") terminal.out(`  ${node} ${words}`);
        break;
      }
      case "done": {
        const tally = { ...told, inWaves, stopped };
        const exitCode = tellEnding(event.value, tally, revision, wish.timeoutSeconds, terminal);
        if (!wish.probe) return { exitCode, revision };
        isInForce = event.value.complete;
        if (isInForce) break;
        probes = tellNoProbe(`revision ${revision} is not in force everywhere`, terminal);
        return { exitCode, revision, probes };
      }
      case "probing":
      case "probe":
        if (event.$case === "probing") probes = tellProbing(event.value, terminal);
        else if (probes !== undefined) probes = tellProbe(probes, event.value, terminal);
        // they come only when the change is in force everywhere
        if (probes !== undefined && areComplete(probes))
          return { exitCode: tellProbesEnd(probes, exitCodes.done, terminal), revision, probes };
        break;
      case undefined:
        break;
    }
  }
  if (signal.aborted)
    throw new WeftError("WEFT-E005", "stopped waiting", {
      why: "It was interrupted.",
      hint: isInForce
        ? `revision ${revision} is in force everywhere; \`weft why FROM TO PORT --prove\` proves one flow`
        : "`weft status` tells how far the nodes are",
    });
  // Without --wait the coordinator may end the stream after its acceptance.
  if (!wish.wait && revision > 0) return { exitCode: exitCodes.done, revision };
  throw new WeftError("WEFT-E500", "the coordinator ended the answer early", { hint: "run `weft status`" });
}

export async function applyAsJson(control: Control, wish: ApplyWish, context: CliContext): Promise<ExitCode> {
  const silent: Terminal = { ...context.terminal, out: () => undefined, err: () => undefined };
  const events: unknown[] = [];
  const recording: Control = {
    ...control,
    async *apply(request, signal) {
      for await (const event of control.apply(request, signal)) {
        const step = event.event;
        // of the probes there is a field that stays as it is
        if (step !== undefined && step.$case !== "probing" && step.$case !== "probe")
          events.push({ event: step.$case, ...step.value });
        yield event;
      }
    },
  };
  const { exitCode, revision, probes } = await applySources(recording, wish, silent, context.signal);
  // what a probe finds takes nothing back
  const done =
    exitCode === exitCodes.done || (probes !== undefined && firstDisagreement(probes) !== undefined);
  const probe = probes === undefined ? null : probesJson(probes);
  context.terminal.out(renderJson({ revision, done, events, probe }));
  return exitCode;
}
