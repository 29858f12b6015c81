// `weft apply`: makes a mesh file the wanted state. With --wait it returns when the kernels carry the revision.
// Exit 1: undone everywhere, or a probe disagrees; 2: problems in the file; 3: refused by a guard; 4: failed or undone on some nodes; 5: some
// nodes are missing at the timeout.
import type { Command } from "commander";
import { type ApplyFlags, applyWithFlags, withApplyFlags } from "../apply-flags.ts";
import type { CliContext } from "../context.ts";
import { withControl } from "../with-control.ts";

export function addApplyCommand(program: Command, context: CliContext): void {
  withApplyFlags(
    program
      .command("apply")
      .description("make a mesh file the wanted state of the mesh")
      .argument("<file...>", "the mesh file, or a directory with its parts"),
  ).action(async (files: string[], flags: ApplyFlags, command: Command) => {
    const sources = await context.readSources(files);
    const exitCode = await withControl(context, command, (control) =>
      applyWithFlags(control, sources, flags, context, flags.reason ?? "", 0),
    );
    context.setExitCode(exitCode);
  });
}
