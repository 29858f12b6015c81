// `weft rollback N`: the files of an earlier revision, applied again as a new one: planned, guarded, rolled out and
// confirmed like any other change. Exit codes as of `weft apply`.
import type { Command } from "commander";
import { type ApplyFlags, applyWithFlags, withApplyFlags } from "../apply-flags.ts";
import { parseRevision } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { withControl } from "../with-control.ts";

export function addRollbackCommand(program: Command, context: CliContext): void {
  withApplyFlags(
    program
      .command("rollback")
      .description("apply the files of an earlier revision again, as a new revision")
      .argument("<revision>", "which one; `weft history` lists them", parseRevision),
  ).action(async (revision: number, flags: ApplyFlags, command: Command) => {
    const reason = [`rollback to ${revision}`, ...(flags.reason === undefined ? [] : [flags.reason])].join(
      ": ",
    );
    const exitCode = await withControl(context, command, async (control) => {
      const sources = await control.meshFile(revision);
      return applyWithFlags(control, sources, flags, context, reason, revision);
    });
    context.setExitCode(exitCode);
  });
}
