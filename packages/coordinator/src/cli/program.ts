// In: what commands may touch, and the arguments. Out: the exit code. The one place where errors become text.
import { isAbort } from "@weft/shared/errors/system";
import { describeError, isWeftError } from "@weft/shared/errors/weft-error";
import { Command, CommanderError } from "commander";
import { addApplyCommand } from "./commands/apply.ts";
import { addCiliumCommands } from "./commands/cilium.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addFlowCommands } from "./commands/flows.ts";
import { addHistoryCommand } from "./commands/history.ts";
import { addInitCommand } from "./commands/init.ts";
import { addNodeCommands } from "./commands/node.ts";
import { addPlanCommand } from "./commands/plan.ts";
import { addRollbackCommand } from "./commands/rollback.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addValidateCommands } from "./commands/validate.ts";
import { addVersionCommand } from "./commands/version.ts";
import { addWhyCommand } from "./commands/why.ts";
import type { CliContext } from "./context.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "./exit-code.ts";
import { version } from "./version.ts";
import { usualSocket } from "./with-control.ts";

export type CommandContext = Omit<CliContext, "setExitCode">;

function makeProgram(context: CliContext): Command {
  const { terminal } = context;
  const program = new Command("weft")
    .description("a zero-trust mesh of plain Linux machines")
    .version(version, "--version", "print the version")
    .option("--socket <path>", "the coordinator's control socket", usualSocket)
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => terminal.out(text.replace(/\n$/, "")),
      writeErr: (text) => terminal.err(text.replace(/\n$/, "")),
      outputError(text, write) {
        write(`weft: ${text.trim().replace(/^error: /, "")}\n  Do: run \`weft --help\`\n  (WEFT-E001)`);
      },
    })
    .exitOverride();
  addInitCommand(program, context);
  addValidateCommands(program, context);
  addCiliumCommands(program, context);
  addPlanCommand(program, context);
  addApplyCommand(program, context);
  addHistoryCommand(program, context);
  addRollbackCommand(program, context);
  addStatusCommand(program, context);
  addNodeCommands(program, context);
  addWhyCommand(program, context);
  addFlowCommands(program, context);
  addVersionCommand(program, context);
  addCompletionCommand(program, context);
  return program;
}

/** @param argv without the program's own name */
export async function runCli(argv: readonly string[], parts: CommandContext): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.done;
  const context: CliContext = {
    ...parts,
    setExitCode(code) {
      exitCode = code;
    },
  };
  try {
    await makeProgram(context).parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (failure) {
    // commander has said what is wrong
    if (failure instanceof CommanderError) return failure.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (isAbort(failure)) {
      context.terminal.err("interrupted");
      return exitCodes.failed;
    }
    if (!isWeftError(failure)) throw failure;
    context.terminal.err(`weft: ${describeError(failure)}`);
    return exitCodeOf(failure);
  }
}
