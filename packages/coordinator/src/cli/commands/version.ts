// `weft version`: this program's, and the coordinator's if it answers.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Command } from "commander";
import { renderJson } from "../../view/render-json.ts";
import type { CliContext } from "../context.ts";
import { version } from "../version.ts";
import { withControl } from "../with-control.ts";

async function coordinatorVersion(context: CliContext, command: Command): Promise<string | undefined> {
  try {
    return await withControl(context, command, (control) => control.version());
  } catch (failure) {
    if (isWeftError(failure)) return undefined;
    throw failure;
  }
}

export function addVersionCommand(program: Command, context: CliContext): void {
  program
    .command("version")
    .description("print the versions of this program and of the coordinator")
    .option("--json", "print them as JSON")
    .action(async (options: { json?: true }, command: Command) => {
      const coordinator = await coordinatorVersion(context, command);
      if (options.json) context.terminal.out(renderJson({ weft: version, coordinator: coordinator ?? null }));
      else {
        context.terminal.out(`weft         ${version}`);
        context.terminal.out(`coordinator  ${coordinator ?? "does not answer"}`);
      }
    });
}
