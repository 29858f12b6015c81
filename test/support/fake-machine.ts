// In: nothing. Out: a Machine in memory with SPIRE server, coordinator and agent as far as `weft init` looks at them;
// it can be made to lose power before any one of its changes.

import type { Machine, RunResult } from "../../packages/coordinator/src/setup/machine.ts";
import { places, units } from "../../packages/coordinator/src/setup/places.ts";
import { WeftError } from "../../packages/shared/src/errors/weft-error.ts";

export interface FakeFile {
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
}

const installed = [
  ...Object.values(units).map((unit) => `${places.units}/${unit}`),
  ...["spire-server", "spire-agent", "coredns"].map((name) => `${places.components}/${name}`),
  places.agentCommand,
];

export class FakeMachine implements Machine {
  readonly files = new Map<string, FakeFile>(
    installed.map((path) => [path, { text: "", mode: 0o755, uid: 0 }]),
  );
  readonly active = new Set<string>();
  readonly enabled = new Set<string>();
  readonly takenPorts = new Set<number>();
  /** Every program run, with its arguments; never what went in by standard input. */
  readonly commands: string[] = [];
  joinedWith: string | undefined;
  userId = 0;
  /** How often anything was changed so far. */
  changes = 0;
  /** Power is lost before this change; undefined: never. */
  powerLossAt: number | undefined;

  #change(): void {
    if (this.changes === this.powerLossAt) throw new WeftError("WEFT-E004", "power was lost");
    this.changes += 1;
  }

  uid(): number {
    return this.userId;
  }
  async readText(path: string): Promise<string | undefined> {
    return this.files.get(path)?.text;
  }
  async exists(path: string): Promise<boolean> {
    return this.files.has(path);
  }
  async writeFile(path: string, text: string, mode: number, owner = { uid: 0, gid: 0 }): Promise<void> {
    this.#change();
    this.files.set(path, { text, mode, uid: owner.uid });
  }
  async remove(path: string): Promise<void> {
    this.#change();
    this.files.delete(path);
  }
  async makeDirectory(): Promise<void> {
    this.#change();
  }
  async user(name: string): Promise<{ uid: number; gid: number } | undefined> {
    return { weft: { uid: 900, gid: 900 }, "spire-server": { uid: 901, gid: 901 } }[name];
  }
  addresses(): readonly string[] {
    return ["127.0.0.1", "10.77.0.10", "fd77::10"];
  }
  async portTaken(port: number): Promise<boolean> {
    return this.takenPorts.has(port);
  }

  async run(file: string, args: readonly string[], options: { input?: string } = {}): Promise<RunResult> {
    const ended = (code: number, stderr = ""): RunResult => ({ code, stdout: "", stderr });
    if (file === "systemctl" && args[0] === "is-active") return ended(this.active.has(args[2] ?? "") ? 0 : 3);
    this.#change();
    this.commands.push([file, ...args].join(" "));
    const unit = args.at(-1) ?? "";
    if (file === "systemctl" && args[0] === "enable") this.enabled.add(unit);
    else if (file === "systemctl") this.active.add(unit);
    else if (file.endsWith("/spire-server")) return ended(this.files.has(unit) ? 0 : 1, "no such file");
    else if (file === places.agentCommand) this.joinedWith = options.input?.trim();
    return ended(0);
  }
}
