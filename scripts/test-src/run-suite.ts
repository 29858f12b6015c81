// In: a suite and its files. Out: its tally; progress and failures go to the terminal as they come.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { execa } from "execa";
import { runSteps } from "../check/run-steps.ts";
import { checkSteps } from "../check/steps.ts";
import type { Selected } from "./selection.ts";
import { type Tally, tallyOf } from "./tally.ts";

const minuteMs = 60_000;

export interface TestContext {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  say(text: string): void;
}

export async function runSuite(context: TestContext, selected: Selected): Promise<Tally> {
  const { suite, files } = selected;
  if (suite.folders.length === 0) return runChecks(context);
  if (files.length === 0) {
    context.say(`${suite.name}: no test file in ${suite.folders.join(", ")}`);
    return { passed: 0, failed: 1, skipped: [] };
  }
  return runJest(context, selected);
}

async function runChecks(context: TestContext): Promise<Tally> {
  const outcomes = await runSteps(context.root, checkSteps, (text) => context.say(text));
  const failed = outcomes.filter(({ problem }) => problem !== "");
  for (const { name, problem } of failed) context.say(`\n--- ${name}\n${problem}`);
  return { passed: outcomes.length - failed.length, failed: failed.length, skipped: [] };
}

async function runJest(context: TestContext, { suite, files }: Selected): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), "weft-test-"));
  const report = join(folder, "report.json");
  // When the results are in, nothing that a failed test left open keeps jest from its end.
  const args = [
    "--forceExit",
    "--json",
    `--outputFile=${report}`,
    "--reporters=default",
    "--runTestsByPath",
    ...files,
  ];
  if (suite.inBand) args.unshift("--runInBand");
  try {
    const { timedOut } = await execa(
      process.execPath,
      [join(context.root, "node_modules/jest/bin/jest.js"), ...args],
      {
        cwd: context.root,
        env: {
          ...context.env,
          NODE_OPTIONS: "--experimental-vm-modules --disable-warning=ExperimentalWarning",
        },
        stdin: "ignore",
        // the report goes to its file as well; what people read goes to standard error
        stdout: "ignore",
        stderr: "inherit",
        timeout: suite.limitMinutes * minuteMs,
        reject: false,
      },
    );
    if (timedOut) context.say(`${suite.name}: no end after ${suite.limitMinutes} minutes; jest was ended`);
    return tallyOf(await readReport(report));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readReport(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isNotFound(error)) return ""; // jest itself did not get that far
    throw error;
  }
}
