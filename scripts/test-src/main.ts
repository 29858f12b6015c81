// In: --only PATTERN, --long. Out: every test's outcome, and as the last line: N passed, N failed, N skipped
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { describeError, messageOf } from "@weft/shared/errors/weft-error";
import { formatElapsed } from "../supply/progress.ts";
import { prepare } from "./preparation.ts";
import { runSuite, type TestContext } from "./run-suite.ts";
import { type Selected, select } from "./selection.ts";
import { type Need, type Suite, suites } from "./suites.ts";
import { sum, summaryLine, type Tally } from "./tally.ts";

const usage = `Usage: scripts/test [--only PATTERN] [--long]

  --only PATTERN  a suite (${suites.map(({ name }) => name).join(", ")}) or a part of test file paths
  --long          also the tests that take many minutes
  WEFT_SEED=N     another seed for the property tests (default 1)
`;

function readArguments(): { readonly only: string | undefined; readonly long: boolean } | undefined {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string" },
        long: { type: "boolean", default: false },
        help: { type: "boolean" },
      },
    });
    if (values.help) return undefined;
    return { only: values.only, long: values.long };
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return undefined;
  }
}

function filesOf(root: string, suite: Suite): Selected {
  const files = suite.folders.flatMap((folder) =>
    globSync(`${folder}/**/*.test.ts`, { cwd: root, exclude: ["**/node_modules/**"] }),
  );
  return { suite, files: files.sort((a, b) => (a < b ? -1 : 1)).map((file) => join(root, file)) };
}

async function runOne(context: TestContext, selected: Selected, done: Set<Need>): Promise<Tally> {
  const began = performance.now();
  const { name, needs } = selected.suite;
  context.say(`\n=== ${name}`);
  try {
    const reason = await prepare(context.root, needs, done);
    const tally =
      reason === undefined
        ? await runSuite(context, selected)
        : { passed: 0, failed: 0, skipped: selected.files.map((file) => `${file}: ${reason}`) };
    context.say(`=== ${name}: ${summaryLine(tally)} (${formatElapsed(performance.now() - began)})`);
    return tally;
  } catch (error) {
    context.say(`=== ${name} could not run: ${describeError(error)}`);
    return { passed: 0, failed: 1, skipped: [] };
  }
}

async function run(only: string | undefined, long: boolean): Promise<number> {
  const root = resolve(import.meta.dirname, "../..");
  const seed = process.env["WEFT_SEED"] ?? "1";
  const context: TestContext = {
    root,
    env: { WEFT_SEED: seed, ...(long ? { WEFT_LONG: "1" } : {}) },
    say: (text) => process.stdout.write(`${text}\n`),
  };
  const chosen = select(
    suites.map((suite) => filesOf(root, suite)),
    only,
  );
  context.say(
    `seed of the property tests: ${seed} (WEFT_SEED=N for another)${long ? "; long tests too" : ""}`,
  );
  if (chosen.length === 0) context.say(`no suite and no test file matches ${only ?? ""}`);
  const done = new Set<Need>();
  const tallies: Tally[] = chosen.length === 0 ? [{ passed: 0, failed: 1, skipped: [] }] : [];
  for (const selected of chosen) tallies.push(await runOne(context, selected, done));
  const total = sum(tallies);
  context.say("");
  for (const skipped of total.skipped) context.say(`skipped: ${skipped}`);
  context.say(summaryLine(total));
  return total.failed === 0 ? 0 : 1;
}

const args = readArguments();
if (args === undefined) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else process.exitCode = await run(args.only, args.long);
