// In: a machine outside, and addresses. Out: when each address's verdict turned, by real connections.
import { readFileSync } from "node:fs";
import type { MachineProcess } from "../../lab-src/machine-process.ts";
import type { World } from "../../quickstart-src/world.ts";

const limitSeconds = 60;
const source = (name: string): string => readFileSync(new URL(`./${name}`, import.meta.url), "utf8");

export const proberPath = "/root/flip-prober.pl";
export const listenerPath = "/root/listener.pl";

export function installProber(world: World, machine: string): Promise<void> {
  return world.lab.writeFile(machine, proberPath, source("flip-prober.pl"));
}

export function installListener(world: World, machine: string): Promise<void> {
  return world.lab.writeFile(machine, listenerPath, source("listener.pl"));
}

export class FlipProber {
  readonly #running: MachineProcess;
  readonly #machineOf: ReadonlyMap<string, string>;

  private constructor(running: MachineProcess, machineOf: ReadonlyMap<string, string>) {
    this.#running = running;
    this.#machineOf = machineOf;
  }

  /** Resolves when every machine was asked once; none may give the wanted verdict already. */
  static async start(
    world: World,
    from: string,
    {
      machines,
      port,
      open,
    }: { readonly machines: readonly string[]; readonly port: number; readonly open: boolean },
  ): Promise<FlipProber> {
    const machineOf = new Map(machines.map((machine) => [world.lab.address(machine), machine]));
    const wanted = open ? "open" : "refused";
    const argv = [
      // a witness who waits for a processor is late himself
      ...(["chrt", "--fifo", "1"] as const),
      "perl",
      proberPath,
      String(port),
      wanted,
      String(limitSeconds),
      ...machineOf.keys(),
    ] as const;
    const running = await world.lab.spawn(from, argv);
    const ready = await running.waitForLine((line) => line.startsWith("READY"), 30_000);
    if (ready !== "READY 0") {
      await running.stop();
      throw new Error(`port ${port}: ${ready.slice(6)} machines are ${wanted} before the change`);
    }
    return new FlipProber(running, machineOf);
  }

  /** Seconds since 1970, by machine. Throws when some did not turn in time. */
  async flips(): Promise<ReadonlyMap<string, number>> {
    await this.#running.exited;
    const flips = new Map<string, number>();
    for (const line of this.#running.lines) {
      const [word, address = "", at] = line.split(" ");
      const machine = this.#machineOf.get(address);
      if (word === "FLIP" && machine !== undefined) flips.set(machine, Number(at));
    }
    const missing = [...this.#machineOf.values()].filter((machine) => !flips.has(machine));
    if (missing.length > 0)
      throw new Error(`no other verdict within ${limitSeconds} s: ${missing.join(", ")}`);
    return flips;
  }

  stop(): Promise<number> {
    return this.#running.stop();
  }
}
