// scripts/bench: what Weft costs and how fast it is, measured on lab machines of its own. In: flags. Out: tables beside
// the budgets; no verdict, a busy machine is slower.
import { describeError } from "@weft/shared/errors/weft-error";
import { Command } from "commander";
import { meshBench } from "./mesh-bench.ts";
import { policyBench } from "./policy/policy-bench.ts";

interface LabOptions {
  readonly name: string;
  readonly keep?: true;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const program = new Command("bench").description("measures on machines of its own, and prints tables");
program
  .command("mesh")
  .description("memory, idle processor time, start, join, init of a small mesh")
  .option("--name <name>", "of the lab", "bench")
  .option("--keep", "leave the lab up")
  .action(({ name, keep }: LabOptions) => meshBench({ name, keep: keep === true, say }));
program
  .command("policy")
  .description("from an edit to the kernels' verdict, beside etcd, ssh and Ansible on the same machines")
  .option("--name <name>", "of the lab", "bench-policy")
  .option("--machines <count>", "that are changed, the hub included", Number, 20)
  .option("--rounds <count>", "changes of every way", Number, 10)
  .option("--keep", "leave the lab up")
  .action(({ keep, ...options }: LabOptions & { readonly machines: number; readonly rounds: number }) =>
    policyBench({ ...options, keep: keep === true, say }),
  );

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}
