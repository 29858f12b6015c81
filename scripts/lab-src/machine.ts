// In: a machine's description and the common root. Out: that machine as a process tree under systemd-nspawn, which
// can be started, powered off, killed, and cut from its network. Used by the lab's supervisor only.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import { type Cgroup, enteringCgroup } from "./cgroups.ts";
import { enterCommand } from "./enter.ts";
import { entered, findLeader, livingLeader, payload } from "./leader.ts";
import { machineFiles } from "./machine-files.ts";
import { unmountBelow } from "./mounts.ts";
import { type LabNames, type MachinePlaces, machinePlaces, namespaceOf } from "./names.ts";
import { labNamespaces, namespacePath, plugIn, setCable, unplug } from "./network.ts";
import { writeRootFiles } from "./root-files.ts";
import { run } from "./run.ts";
import { signalIfThere } from "./signal-if-there.ts";
import type { MachineSpec } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** `systemctl is-system-running` after a boot. */
export type MachineState = "starting" | "running" | "degraded" | "stopped";

const bootDeadlineMs = 90_000;
const powerOffDeadlineMs = 45_000;
const reapDeadlineMs = 5_000;
const nudgeMs = 100;
/** systemd-nspawn's exit code when the machine asked for a reboot. */
const rebootCode = 133;

export interface MachineParts {
  readonly lab: LabNames;
  readonly root: string;
  readonly cgroup: Cgroup;
  readonly machineId: string;
  readonly onRebootAsked: (machine: Machine) => void;
}

export class Machine {
  readonly spec: MachineSpec;
  cut = false;
  #state: MachineState = "stopped";
  #nspawn: ChildProcess | undefined;
  #stopping = false;
  readonly #parts: MachineParts;
  readonly #places: MachinePlaces;

  constructor(spec: MachineSpec, parts: MachineParts) {
    this.spec = spec;
    this.#parts = parts;
    this.#places = machinePlaces(parts.lab, spec.name);
  }

  get state(): MachineState {
    return this.#state;
  }

  /** The machine's disk and network: made once in a lab's life, before the first start. */
  async create(): Promise<void> {
    const { upper, work, root } = this.#places;
    for (const directory of [upper, work, root]) await mkdir(directory, { recursive: true });
    const layers = `lowerdir=${this.#parts.root},upperdir=${upper},workdir=${work}`;
    await run(["mount", "-t", "overlay", "-o", layers, namespaceOf(this.#parts.lab, this.spec.name), root]);
    await writeRootFiles(root, machineFiles(this.spec, this.#parts.machineId));
    for (const user of this.spec.users)
      await run(["chroot", root, "/usr/sbin/useradd", "--system", "--user-group", "--no-create-home", user]);
    await this.#parts.cgroup.make();
    await plugIn(this.#parts.lab, this.spec.name, this.spec.host, this.cut);
  }

  /** Removes what a failed creation left, so that it can be tried again. */
  async discard(): Promise<void> {
    await unmountBelow(this.#places.directory);
    await rm(this.#places.directory, { recursive: true, force: true });
    const { lab } = this.#parts;
    if ((await labNamespaces(lab)).includes(namespaceOf(lab, this.spec.name)))
      await unplug(lab, this.spec.name);
  }

  /** After a failure the machine is stopped, not half started. */
  async start(): Promise<void> {
    try {
      await this.#boot();
    } catch (error) {
      await this.crash();
      throw error;
    }
  }

  async #boot(): Promise<void> {
    this.#state = "starting";
    this.#stopping = false;
    const console = await open(this.#places.console, "a");
    try {
      const [file, ...args] = enteringCgroup(this.#parts.cgroup.entries(), this.#nspawnCommand());
      this.#nspawn = spawn(file, args, {
        stdio: ["ignore", console.fd, console.fd],
        env: {
          PATH: process.env["PATH"],
          SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
          SYSTEMD_NSPAWN_API_VFS_WRITABLE: "1",
          SYSTEMD_NSPAWN_LOCK: "0",
        },
      });
    } finally {
      await console.close();
    }
    const nspawn = this.#nspawn;
    nspawn.once("exit", (code) => this.#onExit(nspawn, code));
    const leader = await this.#waitFor("the start of systemd", () => findLeader(this.#parts.cgroup.unified));
    await writeFile(this.#places.leader, leader);
    this.#state = await this.#waitFor("the end of the boot", () => this.#bootResult());
  }

  /** As pulling the plug: every process dies at once. */
  async crash(): Promise<void> {
    this.#stopping = true;
    const leader = await livingLeader(this.#places.leader);
    if (leader !== undefined) {
      // all processes of the machine die with its PID 1. Its parent, nspawn, reaps it, if it is not killed as well:
      // where this machine's own PID 1 does not reap, a zombie would stay
      process.kill(leader, "SIGKILL");
      await this.#nspawnEnd(reapDeadlineMs);
    }
    await this.#parts.cgroup.kill();
    await this.#reap();
  }

  /** As `systemctl poweroff`, by the signal systemd takes for it. */
  async powerOff(): Promise<void> {
    this.#stopping = true;
    const leader = await livingLeader(this.#places.leader);
    if (leader !== undefined) await run(["kill", "-s", "RTMIN+4", String(leader)]);
    const end = this.#nspawnEnd(powerOffDeadlineMs);
    await this.#nudgeUntil(end, leader);
    if (!(await end))
      throw new WeftError("WEFT-E005", `machine ${this.spec.name} did not power off`, {
        why: `a unit did not stop within ${powerOffDeadlineMs / 1000} s`,
        hint: `use crash instead; the console is in ${this.#places.console}`,
      });
    // what entered the machine from outside
    await this.#parts.cgroup.kill();
    await this.#reap();
  }

  /**
   * What entered the machine from outside is no child of its PID 1, which so hears nothing of its end, and at a shutdown
   * looks for itself only after 10 s. And systemd-shutdown stops all processes before it signals them, on which the
   * nsenter outside stops as well and waits for a signal of its own: until then its killed child is not reaped, and the
   * machine does not end.
   */
  async #nudgeUntil(end: Promise<unknown>, leader: number | undefined): Promise<void> {
    const inside = this.#parts.cgroup.child(payload).child(entered);
    const isOver = end.then(() => true);
    while (!(await Promise.race([isOver, sleep(nudgeMs, false)]))) {
      await inside.continue();
      if (leader !== undefined && this.#nspawn !== undefined) signalIfThere(leader, "SIGCHLD");
    }
  }

  /** Rules, sockets and addresses live in the namespace: after a boot nothing of the old one may be left. */
  async remakeNetwork(): Promise<void> {
    await unplug(this.#parts.lab, this.spec.name);
    await plugIn(this.#parts.lab, this.spec.name, this.spec.host, this.cut);
  }

  async setCut(cut: boolean): Promise<void> {
    await setCable(this.#parts.lab, this.spec.name, !cut);
    this.cut = cut;
  }

  #nspawnCommand(): string[] {
    const { lab } = this.#parts;
    return [
      "systemd-nspawn",
      ...["--boot", "--quiet", "--register=no", "--keep-unit", "--settings=no", "--console=pipe"],
      ...["--resolv-conf=off", "--timezone=off", "--link-journal=no"],
      ...[`--machine=${namespaceOf(lab, this.spec.name)}`, `--hostname=${this.spec.name}`],
      ...[
        `--directory=${this.#places.root}`,
        `--network-namespace-path=${namespacePath(lab, this.spec.name)}`,
      ],
      // as on a real machine: a named namespace alone would take CAP_NET_ADMIN away
      ...["--capability=all", "--system-call-filter=bpf perf_event_open"],
    ];
  }

  async #bootResult(): Promise<"running" | "degraded" | undefined> {
    const command = ["/usr/bin/systemctl", "is-system-running", "--wait"] as const;
    const [file, ...args] = await enterCommand(this.#parts.lab, this.spec.name, command);
    const result = await execa(file, args, { reject: false, stdin: "ignore", timeout: bootDeadlineMs });
    const state = result.stdout.trim();
    // anything else: the bus is not there yet
    return state === "running" || state === "degraded" ? state : undefined;
  }

  #waitFor<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
    return waitFor({ what: `${what} on machine ${this.spec.name}`, deadlineMs: bootDeadlineMs }, () => {
      if (this.#nspawn === undefined)
        throw new WeftError("WEFT-E600", `machine ${this.spec.name} ended while it was starting`, {
          hint: `see its console: ${this.#places.console}`,
        });
      return ask();
    });
  }

  /** @returns whether it ended in time */
  async #nspawnEnd(deadlineMs: number): Promise<boolean> {
    const nspawn = this.#nspawn;
    if (nspawn === undefined) return true;
    const timer = new AbortController();
    const ended = await Promise.race([
      once(nspawn, "exit").then(() => true),
      sleep(deadlineMs, false, { signal: timer.signal, ref: false }).catch(() => false),
    ]);
    timer.abort();
    return ended;
  }

  #onExit(nspawn: ChildProcess, code: number | null): void {
    if (this.#nspawn !== nspawn) return;
    this.#nspawn = undefined;
    this.#state = "stopped";
    if (code === rebootCode && !this.#stopping) this.#parts.onRebootAsked(this);
  }

  async #reap(): Promise<void> {
    await waitFor({ what: `the end of machine ${this.spec.name}`, deadlineMs: 20_000 }, () =>
      this.#nspawn === undefined ? true : undefined,
    );
    await rm(this.#places.leader, { force: true });
    // the next start finds an empty group, as after a power cut
    await this.#parts.cgroup.remove();
    await this.#parts.cgroup.make();
  }
}
