// In: sources to be applied, and how. Out: told as it happens: the refusal, the acceptance, each wave, each kernel, the
// end; and the exit code. Used by whatever applies something: `apply`, `rollback`, `init`.
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
import { renderProblems } from "../view/render-problems.ts";
import { renderReplay } from "../view/render-replay.ts";
import { renderAcceptedRisks, renderRisks } from "../view/render-risks.ts";
import { type Tally, tellEnding } from "./apply-ending.ts";
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
  let stopped: Tally["stopped"];
  let revision = 0;
  const { restores, ...rest } = wish;
  const lists = { sources: [...wish.sources], acceptRisks: [...wish.acceptRisks] };
  const request = { ...rest, ...lists, baseRevision: 0n, restores: BigInt(restores) };
  for await (const { event } of control.apply(request, signal)) {
    switch (event?.$case) {
      case "refused":
        return { exitCode: refused(event.value, terminal), revision };
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
        return {
          exitCode: tellEnding(event.value, tally, revision, wish.timeoutSeconds, terminal),
          revision,
        };
      }
      case undefined:
        break;
    }
  }
  if (signal.aborted)
    throw new WeftError("WEFT-E005", "stopped waiting", {
      why: "It was interrupted.",
      hint: "`weft status` tells how far the nodes are",
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
        if (event.event !== undefined) events.push({ event: event.event.$case, ...event.event.value });
        yield event;
      }
    },
  };
  const { exitCode, revision } = await applySources(recording, wish, silent, context.signal);
  context.terminal.out(renderJson({ revision, done: exitCode === exitCodes.done, events }));
  return exitCode;
}
