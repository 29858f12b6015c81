// `weft apply`: makes a mesh file the wanted state. With --wait it returns when the kernels carry the revision.
// Exit 1: undone everywhere; 2: problems in the file; 3: refused by a guard; 4: failed or undone on some nodes; 5: some
// nodes are missing at the timeout.

import { WeftError } from "@weft/shared/errors/weft-error";
import type { ApplyEvent } from "@weft/shared/gen/weft/v1/control";
import { defaultConfirmTimeoutSeconds } from "@weft/shared/model/desired";
import { decodeProblem } from "@weft/shared/wire/problem-codec";
import { decodeCut } from "@weft/shared/wire/report-codec";
import type { Command } from "commander";
import type { OperatorSession, RiskCode } from "../../guard/risk.ts";
import type { SourceText } from "../../store/records.ts";
import { cutText } from "../../view/cut-text.ts";
import { durationText } from "../../view/duration-text.ts";
import { printable } from "../../view/paint.ts";
import { renderJson } from "../../view/render-json.ts";
import { renderProblems } from "../../view/render-problems.ts";
import { renderReplay } from "../../view/render-replay.ts";
import { renderAcceptedRisks, renderRisks } from "../../view/render-risks.ts";
import { parseRisks, parseSeconds } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import type { Control } from "../control.ts";
import { type ExitCode, exitCodes } from "../exit-code.ts";
import { decodeReplay } from "../replay-codec.ts";
import type { Terminal } from "../terminal.ts";
import { withControl } from "../with-control.ts";

interface Options {
  readonly wait?: true;
  readonly timeout: number;
  readonly confirmTimeout?: number;
  readonly keepEstablished?: true;
  readonly reason?: string;
  readonly acceptRisk: readonly RiskCode[];
  readonly json?: true;
}

export interface ApplyWish {
  readonly sources: readonly SourceText[];
  readonly reason: string;
  readonly claimedBy: string;
  readonly wait: boolean;
  readonly timeoutSeconds: number;
  /** 0: the default. */
  readonly confirmTimeoutSeconds: number;
  /** Established flows that are forbidden now are left. */
  readonly keepEstablished?: boolean;
  readonly acceptRisks: readonly RiskCode[];
  readonly operator: OperatorSession | undefined;
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

/** What became of the nodes that were waited for. */
interface Tally {
  readonly enforced: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
  readonly reverted: ReadonlySet<string>;
}

function finished(
  { complete, missing }: Events["done"],
  { enforced, failed, reverted }: Tally,
  wish: ApplyWish,
  revision: number,
  terminal: Terminal,
): ExitCode {
  if (complete) {
    terminal.out(`revision ${revision} is in force everywhere`);
    return exitCodes.done;
  }
  const late = missing.filter((name) => !failed.has(name) && !reverted.has(name));
  if (failed.size > 0) terminal.err(`failed: ${[...failed].join(", ")} (WEFT-E102)`);
  if (late.length > 0)
    terminal.err(
      `revision ${revision} is not in force after ${wish.timeoutSeconds} s on: ${late.join(", ")} (WEFT-E102)`,
    );
  if (reverted.size > 0)
    terminal.err(
      `REVERTED: ${[...reverted].join(", ")}; what was in force there before is in force again (WEFT-E403)`,
    );
  terminal.err(
    late.length + failed.size > 0
      ? "  Do: run `weft status`; the nodes named as failed or late go on trying"
      : "  Do: correct the mesh file and apply it; the same file again tries once more",
  );
  if (late.length > 0) return exitCodes.timedOut;
  return reverted.size > 0 && enforced.size === 0 ? exitCodes.failed : exitCodes.partly;
}

/** Sends the sources and narrates what comes back. */
export async function applySources(
  control: Control,
  wish: ApplyWish,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ApplyOutcome> {
  const tally = { enforced: new Set<string>(), failed: new Set<string>(), reverted: new Set<string>() };
  let revision = 0;
  const request = {
    keepEstablished: false,
    ...wish,
    sources: [...wish.sources],
    acceptRisks: [...wish.acceptRisks],
    baseRevision: 0n,
  };
  for await (const { event } of control.apply(request, signal)) {
    switch (event?.$case) {
      case "refused":
        return { exitCode: refused(event.value, terminal), revision };
      case "accepted": {
        revision = Number(event.value.revision);
        const names = event.value.nodes;
        terminal.out(
          event.value.unchanged
            ? `revision ${revision} says the same already`
            : `revision ${revision} accepted${names.length === 0 ? "" : ` for ${names.join(", ")}`}`,
        );
        for (const line of renderAcceptedRisks(event.value.risks, event.value.unneededRisks))
          terminal.out(line);
        const replay = decodeReplay(event.value.replay);
        if (replay !== undefined && !event.value.unchanged)
          for (const line of renderReplay(replay, undefined, terminal.paint)) terminal.out(line);
        break;
      }
      case "node": {
        const { node, phase, afterMs, detail } = event.value;
        const more =
          detail === "" ? "" : phase === "enforced" ? ` (${printable(detail)})` : `: ${printable(detail)}`;
        for (const [name, nodes] of Object.entries(tally))
          if (name === phase) nodes.add(node);
          else nodes.delete(node);
        terminal.out(
          `  ${node} ${phase === "reverted" ? "REVERTED" : phase} after ${durationText(afterMs)}${more}`,
        );
        break;
      }
      case "cut": {
        const { node, cut } = event.value;
        const words = cut === undefined ? "" : cutText(decodeCut(cut));
        if (words !== "") terminal.out(`  ${node} ${words}`);
        break;
      }
      case "done":
        return { exitCode: finished(event.value, tally, wish, revision, terminal), revision };
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

async function applyAsJson(control: Control, wish: ApplyWish, context: CliContext): Promise<ExitCode> {
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

export function addApplyCommand(program: Command, context: CliContext): void {
  program
    .command("apply")
    .description("make a mesh file the wanted state of the mesh")
    .argument("<file...>", "the mesh file, or a directory with its parts")
    .option("--wait", "return when the kernels of all concerned nodes carry the revision")
    .option("--timeout <seconds>", "how long to wait", parseSeconds, 60)
    .option(
      "--confirm-timeout <seconds>",
      `new rules that fresh connections do not confirm within it undo themselves (default: ${defaultConfirmTimeoutSeconds})`,
      parseSeconds,
    )
    .option(
      "--keep-established",
      "end no connection that is forbidden now: it stands still, and goes on after a change back",
    )
    .option(
      "--accept-risk <code>",
      "go on although the change cuts what is guarded; each code that `weft plan` names, by itself",
      parseRisks,
      [],
    )
    .option("--reason <text>", "why, for the history")
    .option("--json", "print the events as JSON")
    .action(async (files: string[], options: Options, command: Command) => {
      const { confirmTimeout = 0 } = options;
      const wish: ApplyWish = {
        sources: await context.readSources(files),
        reason: options.reason ?? "",
        claimedBy: context.claimedBy,
        wait: options.wait === true,
        // long enough to be told what became of it
        timeoutSeconds:
          confirmTimeout === 0 ? options.timeout : Math.max(options.timeout, confirmTimeout + 5),
        confirmTimeoutSeconds: confirmTimeout,
        keepEstablished: options.keepEstablished === true,
        acceptRisks: options.acceptRisk,
        operator: context.operator,
      };
      const exitCode = await withControl(context, command, async (control) => {
        if (options.json) return applyAsJson(control, wish, context);
        const outcome = await applySources(control, wish, context.terminal, context.signal);
        if (!wish.wait && outcome.exitCode === exitCodes.done)
          context.terminal.out("next: weft status --watch");
        return outcome.exitCode;
      });
      context.setExitCode(exitCode);
    });
}
