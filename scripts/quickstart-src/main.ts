// scripts/quickstart: from a clean machine to a mesh of real systemd machines, with each claim shown. In: flags.
// Out: exit 0 and the verdict, or exit 1 and what was seen instead.
import { describeError } from "@weft/shared/errors/weft-error";
import { Command } from "commander";
import { openLab } from "../lab-src/lab.ts";
import { labDown, labUp } from "../lab-src/lifecycle.ts";
import { labNames } from "../lab-src/names.ts";
import { prepareArtefacts } from "./artefacts.ts";
import { runQuickstart } from "./story.ts";
import { ProofFailed } from "./world.ts";

const began = performance.now();
const say = (line: string): void => {
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
};
const progress = { line: say, now: () => performance.now() };

const program = new Command("quickstart")
  .description(
    "a lab of real systemd machines, joined into a mesh, policy and DNS in force, every claim proven",
  )
  .option("--name <name>", "of the lab", "quickstart");

program
  .command("up", { isDefault: true })
  .description("build, boot, install, join, prove; the lab stays up afterwards")
  .action(async () => {
    const { name } = program.opts<{ name: string }>();
    const artefacts = await prepareArtefacts(say);
    await labDown(labNames(name), progress);
    await labUp(labNames(name), 1, progress);
    await runQuickstart({ lab: openLab(name), artefacts, say });
    say(`all claims proven in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    process.stdout.write(
      `\nThe lab stays up. Look around:\n  scripts/lab exec --name ${name} hub -- weft status\n` +
        `Take it down:\n  scripts/quickstart down\n`,
    );
  });

program
  .command("down")
  .description("take the lab down; nothing stays but the cache")
  .action(async () => labDown(labNames(program.opts<{ name: string }>().name), progress));

try {
  await program.parseAsync();
} catch (error) {
  const text = error instanceof ProofFailed ? error.message : describeError(error);
  process.stderr.write(`\nNOT PROVEN: ${text}\n`);
  process.exitCode = 1;
}
