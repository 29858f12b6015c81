// In: a machine, a port of another, a rate. Out: connection attempts at that rate, whatever becomes of them; when some
// got through, and how many.
import { readFileSync } from "node:fs";
import type { MachineProcess } from "../../scripts/lab-src/machine-process.ts";
import { until, type World } from "../../scripts/quickstart-src/world.ts";

const source = (name: string) => readFileSync(new URL(`./${name}`, import.meta.url), "utf8");
export const serverSource = () => source("pace-server.pl");

export interface ProberCounts {
  readonly attempts: number;
  readonly open: number;
  readonly refused: number;
  readonly silent: number;
}

export class PacedProber {
  readonly #process: MachineProcess;

  constructor(process: MachineProcess) {
    this.#process = process;
  }

  static async start(
    world: World,
    machine: string,
    target: { readonly address: string; readonly port: number; readonly rate: number },
  ): Promise<PacedProber> {
    const path = "/var/tmp/pace-prober.pl";
    await world.lab.writeFile(machine, path, source("pace-prober.pl"), 0o755);
    const { address, port, rate } = target;
    const process = await world.lab.spawn(machine, ["perl", path, String(rate), address, String(port)]);
    const prober = new PacedProber(process);
    await until("the prober", 10_000, async () => process.stdout.includes("READY") || undefined);
    return prober;
  }

  /** ms since the epoch of each attempt that got through, since then. */
  openSince(since: number): number[] {
    return this.#process.stdout
      .split("\n")
      .flatMap((line) => (line.startsWith("OPEN ") ? [Number(line.slice(5)) * 1000] : []))
      .filter((at) => at >= since);
  }

  counts(): ProberCounts {
    const line = this.#process.stdout.split("\n").findLast((text) => /^(TICK|DONE) /.test(text)) ?? "";
    const of = (name: string) => Number(new RegExp(`${name}=(\\d+)`).exec(line)?.[1] ?? 0);
    return { attempts: of("attempts"), open: of("open"), refused: of("refused"), silent: of("silent") };
  }

  async stop(): Promise<ProberCounts> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    return this.counts();
  }
}
