// In: a lab's name. Out: its machines as an object: commands and files inside them, reboots, crashes and cut cables.
// Used by the quickstart and the system tests.
import { type FileHandle, open, readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { WeftError } from "@weft/shared/errors/weft-error";
import { ask } from "./control-client.ts";
import { enterCommand } from "./enter.ts";
import { MachineProcess } from "./machine-process.ts";
import { type LabNames, labNames } from "./names.ts";
import type { LabRequest, MachineStatus } from "./protocol.ts";
import { address4, address6, findMachine } from "./topology.ts";
import { parseQueryLog, type UpstreamQuery } from "./upstream-dns.ts";

export type Command = readonly [string, ...string[]];

export interface SpawnOptions {
  /** A user of the machine; root when not given. */
  readonly user?: string;
}

export interface ExecOptions extends SpawnOptions {
  readonly input?: string | Uint8Array;
  /** The command is killed then, and `code` is 124 as with timeout(1). Default: two minutes. */
  readonly timeoutMs?: number;
}

export interface ExecResult {
  /** The exit code; 128 + N after signal N; 124 after a timeout. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const timeoutCode = 124;

export class Lab {
  readonly name: string;
  readonly #names: LabNames;

  constructor(names: LabNames) {
    this.#names = names;
    this.name = names.name;
  }

  address(machine: string): string {
    return address4(findMachine(machine).host);
  }

  address6(machine: string): string {
    return address6(findMachine(machine).host);
  }

  status(): Promise<MachineStatus[]> {
    return ask(this.#names, { op: "status" });
  }

  /** Clean power-off and a new boot, with a new network namespace; resolves when the boot is complete. */
  reboot(machine: string): Promise<void> {
    return this.#change({ op: "reboot", machine });
  }

  /** Every process dies at once; then a new boot as after `reboot`. */
  crash(machine: string): Promise<void> {
    return this.#change({ op: "crash", machine });
  }

  cut(machine: string): Promise<void> {
    return this.#change({ op: "cut", machine });
  }

  heal(machine: string): Promise<void> {
    return this.#change({ op: "heal", machine });
  }

  async #change(request: LabRequest): Promise<void> {
    await ask(this.#names, request);
  }

  async spawn(machine: string, argv: Command, options: SpawnOptions = {}): Promise<MachineProcess> {
    return new MachineProcess(await enterCommand(this.#names, machine, argv, { user: options.user }));
  }

  async exec(machine: string, argv: Command, options: ExecOptions = {}): Promise<ExecResult> {
    const running = await this.spawn(machine, argv, options);
    running.endInput(options.input);
    return collect(running, options.timeoutMs ?? 120_000);
  }

  /** As exec, and a failure is an error that quotes the command and what it said. Out: standard output. */
  async run(machine: string, argv: Command, options: ExecOptions = {}): Promise<string> {
    const result = await this.exec(machine, argv, options);
    if (result.code !== 0) throw commandFailed(machine, argv, result);
    return result.stdout;
  }

  async copyIn(machine: string, hostPath: string, path: string, mode = 0o644): Promise<void> {
    const file = await open(hostPath);
    try {
      await this.#write(machine, path, mode, file);
    } finally {
      await file.close();
    }
  }

  writeFile(machine: string, path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    return this.#write(machine, path, mode, content);
  }

  /** Written beside its place and renamed, parents made; what was there is never half-written. */
  async #write(
    machine: string,
    path: string,
    mode: number,
    content: string | Uint8Array | FileHandle,
  ): Promise<void> {
    const script =
      'set -e; umask 077; mkdir -p -m 755 "$(dirname "$1")"; cat >"$1.new"; chmod "$2" "$1.new"; mv -T "$1.new" "$1"';
    const argv = ["/bin/sh", "-c", script, "write", path, mode.toString(8)] as const;
    const running = await this.spawn(machine, argv);
    const collected = collect(running, 300_000);
    if (typeof content === "string" || content instanceof Uint8Array) running.endInput(content);
    else await pipeline(content.createReadStream({ autoClose: false }), running.stdin);
    const result = await collected;
    if (result.code !== 0) throw commandFailed(machine, argv, result);
  }

  readFile(machine: string, path: string): Promise<string> {
    return this.run(machine, ["cat", "--", path]);
  }

  /** The questions that left the machines for the outside world, oldest first. */
  async upstreamQueries(): Promise<UpstreamQuery[]> {
    return parseQueryLog(await readFile(this.#names.queryLog, "utf8"));
  }
}

export function openLab(name: string): Lab {
  return new Lab(labNames(name));
}

async function collect(running: MachineProcess, timeoutMs: number): Promise<ExecResult> {
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    running.kill("SIGKILL");
  }, timeoutMs);
  try {
    const code = await running.exited;
    return { code: timedOut ? timeoutCode : code, stdout: running.stdout, stderr: running.stderr };
  } finally {
    clearTimeout(timer);
  }
}

function commandFailed(machine: string, argv: Command, result: ExecResult): WeftError {
  return new WeftError("WEFT-E004", `'${argv.join(" ")}' on ${machine} ended with ${result.code}`, {
    why: result.stderr.trim() || result.stdout.trim() || "it gave no reason",
  });
}
