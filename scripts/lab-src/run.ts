// In: a program and its arguments. Out: what it printed, or a WeftError that quotes why it failed.
import { WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
}

export async function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const [file, ...args] = argv;
  const result = await execa(file, args, {
    reject: false,
    input: options.input ?? "",
    env: { LC_ALL: "C" },
    timeout: options.timeoutMs ?? 60_000,
  });
  if (result.failed) {
    const why = result.stderr.trim() || result.shortMessage || "it gave no reason";
    throw new WeftError("WEFT-E004", `'${argv.join(" ")}' failed`, { why });
  }
  return result.stdout;
}
