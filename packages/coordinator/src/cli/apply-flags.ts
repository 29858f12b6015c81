// In: the flags of a command that applies something. Out: how it is to be applied. The same for `apply` and `rollback`.
import { WeftError } from "@weft/shared/errors/weft-error";
import { defaultConfirmTimeoutSeconds } from "@weft/shared/model/desired";
import type { Command } from "commander";
import type { RiskCode } from "../guard/risk.ts";
import type { SourceText } from "../store/records.ts";
import { type ApplyWish, applyAsJson, applySources } from "./apply-story.ts";
import { parseRisks, parseSeconds } from "./arguments.ts";
import type { CliContext } from "./context.ts";
import type { Control } from "./control.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";

export interface ApplyFlags {
  readonly wait?: true;
  readonly probe?: true;
  readonly timeout: number;
  readonly confirmTimeout?: number;
  readonly keepEstablished?: true;
  readonly acceptRisk: readonly RiskCode[];
  readonly atOnce?: true;
  readonly reason?: string;
  readonly json?: true;
}

export function withApplyFlags(command: Command): Command {
  return command
    .option("--wait", "return when the kernels of all concerned nodes carry the revision")
    .option(
      "--probe",
      "then make real connections for the flows that the change turns, ten at most (docs/rollout.md)",
    )
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
    .option("--at-once", "everywhere at once, whatever the mesh file says under rollout:")
    .option("--reason <text>", "why, for the history")
    .option("--json", "print the events as JSON")
    .hook("preAction", (_, applying) => requireWait(applying.opts<ApplyFlags>()));
}

/** Before anything is read or sent. */
function requireWait({ wait, probe }: ApplyFlags): void {
  if (probe !== true || wait === true) return;
  throw new WeftError("WEFT-E001", "--probe needs --wait", {
    why: "It is made when the change is in force, and nobody would be there to be told.",
    hint: "add --wait; or prove one flow: `weft why FROM TO PORT --prove`",
  });
}

/** @param restores the revision the sources are of; 0: none */
export async function applyWithFlags(
  control: Control,
  sources: readonly SourceText[],
  flags: ApplyFlags,
  context: CliContext,
  reason: string,
  restores: number,
): Promise<ExitCode> {
  const { confirmTimeout = 0 } = flags;
  const wish: ApplyWish = {
    sources,
    reason,
    claimedBy: context.claimedBy,
    wait: flags.wait === true,
    probe: flags.probe === true,
    // long enough to be told what became of it
    timeoutSeconds: confirmTimeout === 0 ? flags.timeout : Math.max(flags.timeout, confirmTimeout + 5),
    confirmTimeoutSeconds: confirmTimeout,
    keepEstablished: flags.keepEstablished === true,
    acceptRisks: flags.acceptRisk,
    operator: context.operator,
    atOnce: flags.atOnce === true,
    restores,
  };
  if (flags.json) return applyAsJson(control, wish, context);
  const { exitCode } = await applySources(control, wish, context.terminal, context.signal);
  if (!wish.wait && exitCode === exitCodes.done) context.terminal.out("next: weft status --watch");
  return exitCode;
}
