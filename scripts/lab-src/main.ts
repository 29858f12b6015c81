// In: `scripts/lab` command lines. Out: labs of systemd machines on this machine, and exit codes: 0 done, 1 failed,
// 2 usage; `exec` ends with the code of its command.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { describeError, isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { Command, CommanderError } from "commander";
import type { ProgressSink } from "../supply/progress.ts";
import { Cgroup, readCgroupMounts } from "./cgroups.ts";
import { enterCommand } from "./enter.ts";
import { labNames } from "./names.ts";
import type { LabRequest } from "./protocol.ts";
import { requireRoot } from "./root-user.ts";
import { renderStatus } from "./status-table.ts";

// Modules that only some commands need are imported by those: `exec` is called a hundred times in a test run.

interface NameOption {
  readonly name: string;
}

const progress: ProgressSink = {
  line: (text) => process.stderr.write(`${text}\n`),
  now: () => performance.now(),
};

async function up(options: NameOption & { readonly nodes: string }): Promise<void> {
  const lab = labNames(options.name);
  const began = progress.now();
  const { labUp } = await import("./lifecycle.ts");
  const machines = await labUp(lab, Number(options.nodes), progress);
  progress.line(
    `lab ${lab.name}: ${machines.length} machines up in ${((progress.now() - began) / 1000).toFixed(1)} s`,
  );
  process.stdout.write(renderStatus(machines));
}

async function down(options: NameOption): Promise<void> {
  const { labDown } = await import("./lifecycle.ts");
  await labDown(labNames(options.name), progress);
  progress.line(`lab ${options.name}: down`);
}

async function askSupervisor(
  options: NameOption & { readonly json?: true },
  request: LabRequest,
): Promise<void> {
  const { ask } = await import("./control-client.ts");
  const machines = await ask(labNames(options.name), request);
  process.stdout.write(options.json === true ? `${JSON.stringify(machines)}\n` : renderStatus(machines));
}

async function exec(
  machine: string,
  argv: readonly string[],
  options: NameOption & { readonly user?: string },
): Promise<number> {
  const [program, ...args] = argv;
  if (program === undefined) throw new WeftError("WEFT-E001", "exec needs a command");
  if (program.startsWith("-"))
    throw new WeftError("WEFT-E001", `'${program}' is no command`, {
      hint: "options come before the machine: exec [--name NAME] [--user USER] MACHINE -- COMMAND...",
    });
  const terminal = process.stdout.isTTY ? process.env["TERM"] : undefined;
  const entered = await enterCommand(labNames(options.name), machine, [program, ...args], {
    user: options.user,
    terminal,
  });
  const child = spawn(entered[0], entered.slice(1), { stdio: "inherit", cwd: "/" });
  // a Ctrl-C reaches the command through the terminal; this process only waits for it
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const [code, signal]: [number | null, NodeJS.Signals | null] = await onceExit(child);
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

async function onceExit(child: ReturnType<typeof spawn>): Promise<[number | null, NodeJS.Signals | null]> {
  const [code, signal] = await once(child, "exit");
  return [code, signal];
}

async function supervise(options: NameOption & { readonly root: string }): Promise<void> {
  const lab = labNames(options.name);
  const log = (text: string) => process.stderr.write(`${new Date().toISOString()} ${text}\n`);
  const cgroup = new Cgroup(await readCgroupMounts(), lab.cgroup);
  await cgroup.make();
  await cgroup.delegate();
  const own = cgroup.child("supervisor");
  await own.make();
  // out of the terminal's session: a logout does not end the lab
  await own.enter(process.pid);
  const [{ Supervisor }, { serveControl }] = await Promise.all([
    import("./supervisor.ts"),
    import("./control-server.ts"),
  ]);
  await serveControl(new Supervisor(lab, options.root, cgroup, log), lab.controlSocket, log, () =>
    process.exit(0),
  );
}

function program(finish: (code: number) => void): Command {
  const cli = new Command("lab").description("A lab of real systemd machines on this one");
  cli.exitOverride().enablePositionalOptions().showHelpAfterError().hook("preAction", requireRoot);
  const command = (text: string, description: string) =>
    cli.command(text).description(description).option("--name <name>", "name of the lab", "default");

  command("up", "make the lab, or the missing parts of it")
    .option("--nodes <n>", "extra machines n1, n2, ...", "0")
    .action(up);
  command("down", "remove the lab and everything of it").action(down);
  command("status", "the machines and their state")
    .option("--json", "as JSON")
    .action((options: NameOption & { readonly json?: true }) => askSupervisor(options, { op: "status" }));
  command("exec <machine> <command...>", "run a command in a machine: exec MACHINE -- COMMAND...")
    .option("--user <user>", "as this user of the machine")
    .passThroughOptions()
    .action(async (machine: string, argv: string[], options: NameOption & { readonly user?: string }) =>
      finish(await exec(machine, argv[0] === "--" ? argv.slice(1) : argv, options)),
    );
  for (const [op, description] of [
    ["reboot", "power a machine off cleanly and boot it again"],
    ["crash", "kill a machine as a power cut would, and boot it again"],
    ["cut", "unplug a machine's network (or that of 'upstream', the DNS server)"],
    ["heal", "plug it in again"],
  ] as const)
    command(`${op} <machine>`, description).action((machine: string, options: NameOption) =>
      askSupervisor(options, { op, machine }),
    );
  cli
    .command("supervise", { hidden: true })
    .requiredOption("--name <name>")
    .requiredOption("--root <root>")
    .action(supervise);
  return cli;
}

try {
  await program((code) => {
    process.exitCode = code;
  }).parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = isWeftError(error) && error.code === "WEFT-E001" ? 2 : 1;
  }
}
