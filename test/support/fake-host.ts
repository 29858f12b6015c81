// A machine for tests: real files and unix sockets below a temporary directory, a scripted exec, units in a map, a clock moved by hand.
// What is not scripted throws, so a test cannot pass because of a call nobody thought of.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  Clock,
  Exec,
  ExecOptions,
  ExecResult,
  Files,
  Host,
  Sockets,
  UnitState,
  Units,
} from "../../packages/node-agent/src/host/host.ts";
import { LinuxFiles } from "../../packages/node-agent/src/host/linux-files.ts";
import { LinuxSockets } from "../../packages/node-agent/src/host/linux-sockets.ts";
import { WeftError } from "../../packages/shared/src/errors/weft-error.ts";

export type Script = (
  args: readonly string[],
  options: ExecOptions,
) => Partial<ExecResult> | Promise<Partial<ExecResult>>;

export class FakeExec implements Exec {
  /** Every call, as "program arg arg". */
  readonly calls: string[] = [];
  readonly programs = new Map<string, Script>();

  async run(program: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    options.signal?.throwIfAborted();
    this.calls.push([program, ...args].join(" "));
    const script = this.programs.get(program);
    if (script === undefined) throw new WeftError("WEFT-E007", `${program} is not installed`);
    const result = { code: 0, stdout: "", stderr: "", ...(await script(args, options)) };
    if ((options.allow ?? [0]).includes(result.code)) return result;
    throw new WeftError("WEFT-E004", `${program} failed`, { why: result.stderr });
  }

  lines(): { readonly done: Promise<number>; readonly pid: number | undefined } {
    return { done: Promise.resolve(0), pid: undefined };
  }
}

export class FakeUnits implements Units {
  readonly states = new Map<string, UnitState>();
  readonly calls: string[] = [];
  /** Units whose start fails. */
  readonly broken = new Set<string>();

  async state(unit: string): Promise<UnitState> {
    return this.states.get(unit) ?? { active: "inactive", enabled: false, exists: false };
  }

  async #change(verb: string, unit: string, change: Partial<UnitState>): Promise<void> {
    this.calls.push(`${verb} ${unit}`);
    if (this.broken.has(unit) && change.active === "active")
      throw new WeftError("WEFT-E402", `systemctl ${verb} ${unit} failed`, { why: "it is broken" });
    this.states.set(unit, { ...(await this.state(unit)), exists: true, ...change });
  }

  enable(unit: string): Promise<void> {
    return this.#change("enable", unit, { enabled: true });
  }
  disable(unit: string): Promise<void> {
    return this.#change("disable", unit, { enabled: false });
  }
  start(unit: string): Promise<void> {
    return this.#change("start", unit, { active: "active" });
  }
  restart(unit: string): Promise<void> {
    return this.#change("restart", unit, { active: "active" });
  }
  stop(unit: string): Promise<void> {
    return this.#change("stop", unit, { active: "inactive" });
  }
  async reloadUnit(unit: string): Promise<void> {
    this.calls.push(`reload ${unit}`);
  }
  async reload(): Promise<void> {
    this.calls.push("reload");
  }
}

export class FakeClock implements Clock {
  #now: number;
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  constructor(start = new Date("2026-11-22T12:00:00Z")) {
    this.#now = start.getTime();
  }

  now(): Date {
    return new Date(this.#now);
  }

  /** How many wait. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener(
        "abort",
        () => {
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  advance(ms: number): void {
    this.#now += ms;
    const due = this.#sleepers.filter((sleeper) => sleeper.at <= this.#now);
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.at > this.#now);
    for (const sleeper of due) sleeper.wake();
  }
}

export class FakeHost implements Host {
  readonly root = mkdtempSync(join(tmpdir(), "weft-host-"));
  readonly files: Files;
  readonly exec = new FakeExec();
  readonly units = new FakeUnits();
  readonly sockets: Sockets;
  readonly clock = new FakeClock();

  constructor(makeFiles: (root: string) => Files = (root) => new LinuxFiles(root)) {
    this.files = makeFiles(this.root);
    this.sockets = new LinuxSockets(this.root);
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
