// `weft-node-agent`: the one place that builds the real machine, terminal and clients, and reads the command line.
import { randomInt } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { errnoOf } from "@weft/shared/errors/system";
import { describeError, WeftError } from "@weft/shared/errors/weft-error";
import { requireTls13InProcess } from "@weft/shared/spiffe/tls-policy";
import { Command, CommanderError } from "commander";
import { parseGlassTime, runBreakGlass } from "./commands/break-glass.ts";
import { runCiliumInstall } from "./commands/cilium-install.ts";
import type { CommandContext } from "./commands/context.ts";
import { runDoctor } from "./commands/doctor.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "./commands/exit-code.ts";
import { runFacts } from "./commands/facts.ts";
import { runFloorCheck } from "./commands/floor-check.ts";
import { runJoin } from "./commands/join.ts";
import { runLeave } from "./commands/leave.ts";
import { runAgent } from "./commands/run.ts";
import { runStatus } from "./commands/status.ts";
import { UdpDnsClient } from "./dns/query.ts";
import { linuxHost } from "./host/linux-host.ts";
import { askSpireHealth } from "./identity/spire-health.ts";
import { knownImages } from "./image/known-images.ts";
import { makeLog } from "./log.ts";
import { version } from "./version.ts";

function makeContext(signal: AbortSignal): CommandContext {
  const { stdin, stdout, stderr } = process;
  // Whoever read along has seen enough (`| head`): no failure of ours.
  stdout.on("error", (failure) => {
    if (errnoOf(failure) !== "EPIPE") throw failure;
  });
  return {
    host: linuxHost(),
    terminal: {
      out: (line) => void stdout.write(`${line}\n`),
      err: (line) => void stderr.write(`${line}\n`),
      input: stdin,
      questions: stderr,
      interactive: stdin.isTTY === true,
    },
    version,
    isRoot: process.getuid?.() === 0,
    signal,
  };
}

function program(context: CommandContext, ended: (code: ExitCode) => void): Command {
  const command = new Command("weft-node-agent")
    .description("makes this machine what the mesh says it is, and reports it")
    .showSuggestionAfterError()
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  command
    .command("join")
    .description("join a mesh; the token is asked for, or read from standard input or a file")
    .argument("<address>", "IP address of the coordinator")
    .requiredOption("--pin <pin>", "sha256:... of the mesh root, as `weft node add` prints it")
    .option("--port <port>", "enrolment port", "7444")
    .option("--token-file <file>", "read the token from this file")
    .allowExcessArguments()
    .action(
      async (address: string, options: { pin: string; port: string; tokenFile?: string }, join: Command) => {
        if (join.args.length > 1)
          throw new WeftError("WEFT-E001", "the token must not stand in the command line", {
            why: "Every user of this machine can read it there.",
            hint: "leave it away and type it when asked, pipe it in, or use --token-file",
          });
        ended(await runJoin(context, { address, ...options, tokenFile: options.tokenFile }));
      },
    );
  command
    .command("run")
    .description("run the agent (systemd does this)")
    .action(async () => {
      const { host, signal } = context;
      const random = () => randomInt(2 ** 32) / 2 ** 32;
      const [dns, health, log] = [new UdpDnsClient(), askSpireHealth, makeLog()];
      // beside this program, in the release it belongs to
      const script = join(dirname(process.argv[1] ?? ""), "weft-dial.cjs");
      const dialProgram = { runtime: process.execPath, script };
      await runAgent({ host, log, version, random, dns, health, dialProgram, signal });
      ended(exitCodes.done);
    });
  command
    .command("status")
    .description("what is in force on this machine; works with the coordinator gone")
    .option("--json", "as one JSON object")
    .action(async (options: { json?: boolean }) => ended(await runStatus(context, options.json === true)));
  command
    .command("facts")
    .description("what this machine is and can do")
    .option("--json", "as one JSON object")
    .action(async (options: { json?: boolean }) => ended(await runFacts(context, options.json === true)));
  command
    .command("doctor")
    .description(
      "what would break Weft's promises on this machine: boot order, rules of others, users, ports, Cilium",
    )
    .option("--json", "as one JSON object")
    .action(async (options: { json?: boolean }) => ended(await runDoctor(context, options.json === true)));
  command
    .command("break-glass")
    .description("let administrators in, whatever the policy says; works with everything else dead")
    .option("--from <cidr...>", "who is let in (default: the mesh file's admin ranges)")
    .option("--port <port...>", "to where, like 22/tcp (default: the mesh file's guard ports)")
    .option("--for <time>", "how long, like 30m or 2h", parseGlassTime, 3600)
    .option("--close", "take it back")
    .action(async (options: { from?: string[]; port?: string[]; for: number; close?: true }) => {
      const { from = [], port = [], close = false } = options;
      ended(await runBreakGlass(context, { from, ports: port, seconds: options.for, close }));
    });
  command
    .command("floor")
    .description("what this machine lets no coordinator have: /etc/weft/floor.yaml")
    .command("check")
    .description("whether the floor, or one not in place yet, reads, and what it refuses of the state of now")
    .argument("[file]", "a floor that is not in place yet")
    .action(async (file?: string) => ended(await runFloorCheck(context, file)));
  command
    .command("cilium")
    .description("the programs of Cilium, which Weft runs where the mesh file says so")
    .command("install")
    .description("put them on this machine from Cilium's official image")
    .argument("<archive>", "the image in the OCI layout, as a tar archive or a folder (docs/cilium.md)")
    .option(
      "--digest <digest>",
      "trust this one: sha256:... of its index or manifest (default: those of known versions)",
    )
    .action(async (archive: string, options: { digest?: string }) => {
      const place = { archive: resolve(archive), architecture: process.arch };
      ended(await runCiliumInstall(context, { ...place, digest: options.digest, known: knownImages }));
    });
  command
    .command("leave")
    .description("undo everything Weft did on this machine")
    .option("--yes", "do not ask")
    .action(async (options: { yes?: boolean }) =>
      ended(await runLeave(context, { yes: options.yes === true })),
    );
  command
    .command("version")
    .description("print the version")
    .action(() => context.terminal.out(version));
  return command;
}

async function main(): Promise<ExitCode> {
  requireTls13InProcess();
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const context = makeContext(stop.signal);
  let code: ExitCode = exitCodes.done;
  try {
    await program(context, (ended) => {
      code = ended;
    }).parseAsync();
  } catch (failure) {
    if (failure instanceof CommanderError) {
      if (failure.exitCode === 0) return exitCodes.done;
      context.terminal.err(`${failure.message.replace(/^error: /, "")}\n  (WEFT-E001)`);
      return exitCodes.usage;
    }
    if (stop.signal.aborted) return exitCodes.failed;
    context.terminal.err(describeError(failure));
    return exitCodeOf(failure);
  }
  return code;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (bug: unknown) => {
    process.stderr.write(`weft-node-agent: ${describeError(bug)}\n`);
    process.exitCode = exitCodes.failed;
  },
);
