// In: requests on the lab's control socket. Out: the lab itself: its switch, upstream DNS server and machines, all
// children of this one process, which starts, ends and reaps them. One supervisor per lab.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { isNotFound } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";
import { type Cgroup, enteringCgroup } from "./cgroups.ts";
import { Machine } from "./machine.ts";
import type { LabNames } from "./names.ts";
import { makeSwitch, namespacePath, plugInUpstream, setCable } from "./network.ts";
import type { LabRequest, MachineStatus } from "./protocol.ts";
import { address4, address6, findMachine, labMachines, type MachineSpec, upstreamName } from "./topology.ts";
import { upstreamConfig } from "./upstream-dns.ts";
import { waitFor } from "./wait.ts";

export type Progress = (text: string) => void;

export class Supervisor {
  readonly #lab: LabNames;
  readonly #root: string;
  readonly #cgroup: Cgroup;
  readonly #log: Progress;
  readonly #machines = new Map<string, Machine>();
  /** The last piece of work on each machine: pieces on one machine run one after the other. */
  readonly #queues = new Map<string, Promise<unknown>>();
  #upstream: ChildProcess | undefined;
  #network: Promise<void> | undefined;

  constructor(lab: LabNames, root: string, cgroup: Cgroup, log: Progress) {
    this.#lab = lab;
    this.#root = root;
    this.#cgroup = cgroup;
    this.#log = log;
  }

  async handle(request: LabRequest, progress: Progress): Promise<MachineStatus[]> {
    switch (request.op) {
      case "up":
        await this.#up(request.nodes, progress);
        break;
      case "status":
        break;
      case "end":
        await this.#end();
        break;
      case "cut":
      case "heal":
        await this.#setCut(request.machine, request.op === "cut");
        break;
      case "reboot":
      case "crash": {
        const machine = this.#machine(request.machine);
        await this.#queued(machine.spec.name, () => this.#restart(machine, request.op === "reboot"));
        break;
      }
    }
    return this.status();
  }

  status(): MachineStatus[] {
    return [...this.#machines.values()]
      .sort((a, b) => a.spec.host - b.spec.host)
      .map(({ spec, state, cut }) => ({
        name: spec.name,
        state,
        address: address4(spec.host),
        address6: address6(spec.host),
        cut,
      }));
  }

  async #up(nodes: number, progress: Progress): Promise<void> {
    this.#network ??= this.#makeNetwork();
    await this.#network;
    // every machine is waited for, so that a failure leaves nothing half done in the background
    const results = await Promise.allSettled(
      labMachines(nodes).map((spec) =>
        this.#queued(spec.name, async () => {
          let machine = this.#machines.get(spec.name);
          if (machine === undefined) {
            machine = await this.#createMachine(spec);
          } else if (machine.state === "stopped") await machine.remakeNetwork();
          if (machine.state !== "stopped") return;
          await machine.start();
          progress(`${spec.name} ${machine.state}`);
        }),
      ),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async #createMachine(spec: MachineSpec): Promise<Machine> {
    const machine = new Machine(spec, {
      lab: this.#lab,
      root: this.#root,
      cgroup: this.#cgroup.child(spec.name),
      machineId: randomBytes(16).toString("hex"),
      onRebootAsked: (asking) => this.#onRebootAsked(asking),
    });
    try {
      await machine.create();
    } catch (error) {
      await machine.discard();
      throw error;
    }
    this.#machines.set(spec.name, machine);
    return machine;
  }

  async #makeNetwork(): Promise<void> {
    await makeSwitch(this.#lab);
    await plugInUpstream(this.#lab);
    await writeFile(this.#lab.dnsConfig, upstreamConfig(this.#lab.queryLog));
    const group = this.#cgroup.child(upstreamName);
    await group.make();
    const [file, ...args] = enteringCgroup(group.entries(), [
      "nsenter",
      `--net=${namespacePath(this.#lab, upstreamName)}`,
      "dnsmasq",
      `--conf-file=${this.#lab.dnsConfig}`,
    ]);
    this.#upstream = spawn(file, args, { stdio: ["ignore", "inherit", "inherit"] });
    this.#upstream.once("exit", (code, signal) => {
      this.#upstream = undefined;
      this.#log(`the upstream DNS server ended (${code ?? signal})`);
    });
    await waitFor({ what: "the start of the upstream DNS server", deadlineMs: 10_000 }, async () => {
      if (this.#upstream === undefined)
        throw new WeftError("WEFT-E600", "the lab's upstream DNS server did not start", {
          hint: `see ${this.#lab.supervisorLog}`,
        });
      return (await this.#queryLog()).includes(": started,") ? true : undefined;
    });
  }

  async #queryLog(): Promise<string> {
    try {
      return await readFile(this.#lab.queryLog, "utf8");
    } catch (error) {
      if (isNotFound(error)) return "";
      throw error;
    }
  }

  async #restart(machine: Machine, clean: boolean): Promise<void> {
    if (clean) await machine.powerOff();
    else await machine.crash();
    await machine.remakeNetwork();
    await machine.start();
  }

  /** `systemctl reboot` inside a machine: nspawn ends and leaves the rest to us. */
  #onRebootAsked(machine: Machine): void {
    this.#queued(machine.spec.name, () => this.#restart(machine, false)).catch((error: unknown) =>
      this.#log(`${machine.spec.name} did not come back from its reboot: ${String(error)}`),
    );
  }

  async #setCut(name: string, cut: boolean): Promise<void> {
    if (name === upstreamName) await setCable(this.#lab, upstreamName, !cut);
    else {
      const machine = this.#machine(name);
      await this.#queued(name, () => machine.setCut(cut));
    }
  }

  /** Ends every machine at once, as the whole lab is to vanish. */
  async #end(): Promise<void> {
    const machines = [...this.#machines.values()];
    await Promise.all(machines.map((machine) => machine.crash()));
    await this.#cgroup.child(upstreamName).kill();
    await waitFor({ what: "the end of the upstream DNS server", deadlineMs: 10_000 }, () =>
      this.#upstream === undefined ? true : undefined,
    );
  }

  #machine(name: string): Machine {
    const machine = this.#machines.get(findMachine(name).name);
    if (machine === undefined)
      throw new WeftError("WEFT-E600", `lab ${this.#lab.name} has no machine ${name}`, {
        hint: `add nodes with scripts/lab up --name ${this.#lab.name} --nodes N`,
      });
    return machine;
  }

  #queued<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(name) ?? Promise.resolve();
    const after = before.then(work, work);
    this.#queues.set(
      name,
      after.catch(() => undefined),
    );
    return after;
  }
}
