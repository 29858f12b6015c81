// In: named steps. Out: each one's outcome; all run at once, and a line is told as each ends.
import { messageOf } from "@weft/shared/errors/weft-error";
import { execa } from "execa";

export interface CheckStep {
  readonly name: string;
  /** Resolves to what is wrong; an empty text is a pass. */
  run(root: string): Promise<string>;
}

export interface StepOutcome {
  readonly name: string;
  readonly seconds: number;
  /** empty: passed */
  readonly problem: string;
}

export async function runSteps(
  root: string,
  steps: readonly CheckStep[],
  line: (text: string) => void,
): Promise<readonly StepOutcome[]> {
  const width = Math.max(...steps.map(({ name }) => name.length));
  return Promise.all(
    steps.map(async (step) => {
      const began = performance.now();
      const problem = await step.run(root).catch((error: unknown) => `it could not run: ${messageOf(error)}`);
      const seconds = (performance.now() - began) / 1000;
      line(`${problem === "" ? "ok  " : "FAIL"}  ${step.name.padEnd(width)}  ${seconds.toFixed(1)} s`);
      return { name: step.name, seconds, problem };
    }),
  );
}

/** A step that is one command of the project's own tools: it passes when the command does. */
export function commandStep(name: string, command: string, args: readonly string[]): CheckStep {
  return {
    name,
    async run(root) {
      const { exitCode, all } = await execa(command, args, {
        cwd: root,
        all: true,
        reject: false,
        preferLocal: true,
        localDir: root,
        stdin: "ignore",
        env: { NODE_OPTIONS: "--disable-warning=ExperimentalWarning", NO_COLOR: "1" },
      });
      if (exitCode === 0) return "";
      return all.trim() === "" ? `${command} ended with ${exitCode ?? "a signal"}` : all.trim();
    },
  };
}
