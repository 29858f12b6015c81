// In: the source tree. Out: one line per check with its time, the output of those that failed, exit code 1 if any did.
import { resolve } from "node:path";
import { runSteps } from "./check/run-steps.ts";
import { checkSteps } from "./check/steps.ts";

const began = performance.now();
const say = (text: string) => process.stdout.write(`${text}\n`);
const outcomes = await runSteps(resolve(import.meta.dirname, ".."), checkSteps, say);
const failed = outcomes.filter(({ problem }) => problem !== "");
for (const { name, problem } of failed) say(`\n--- ${name}\n${problem}`);
say(
  `\n${outcomes.length - failed.length} of ${outcomes.length} checks passed in ${((performance.now() - began) / 1000).toFixed(1)} s`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
