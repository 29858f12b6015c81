// scripts/bench mesh: a lab of its own is brought up as in the quickstart, each part is timed, then every process is read
// while nothing happens. In: flags. Out: a table with the budgets; no verdict, a busy machine is slower.
import { loadavg } from "node:os";
import { openLab } from "../lab-src/lab.ts";
import { labDown, labUp } from "../lab-src/lifecycle.ts";
import { labNames } from "../lab-src/names.ts";
import { prepareArtefacts } from "../quickstart-src/artefacts.ts";
import { applyMesh, initHub, installMachine, invite, join } from "../quickstart-src/bring-up.ts";
import { guestMachine, meshWithGuest } from "../quickstart-src/demo-mesh.ts";
import { fleetEnforced } from "../quickstart-src/proofs/survival.ts";
import type { World } from "../quickstart-src/world.ts";
import { readFootprint } from "./footprint.ts";
import { layComponents } from "./lay-components.ts";
import { median, type Row, renderReport, seconds } from "./report.ts";
import { agentStartMs } from "./start-time.ts";

export interface MeshBenchOptions {
  readonly name: string;
  readonly keep: boolean;
  readonly say: (line: string) => void;
}

const idleSeconds = 20;
const starts = 5;

/** What was timed so far, told as it comes. */
class Timings {
  readonly rows: Row[] = [];
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  async timed<T>(what: string, work: () => Promise<T>, budget = ""): Promise<T> {
    const began = performance.now();
    const result = await work();
    const measured = seconds(performance.now() - began);
    this.rows.push({ what, measured, budget });
    this.#say(`${what}: ${measured}`);
    return result;
  }
}

/** From the typed command to Online with policy, names and identity in force. */
async function timeJoin(
  timings: Timings,
  world: World,
  machine: string,
  what: string,
  budget = "",
): Promise<void> {
  const invitation = await invite(world, machine);
  await timings.timed(
    what,
    async () => {
      await join(world, machine, invitation);
      await fleetEnforced(world, [machine]);
    },
    budget,
  );
}

async function measure(name: string, say: (line: string) => void): Promise<readonly Row[]> {
  const progress = { line: say, now: () => performance.now() };
  const timings = new Timings(say);
  const { rows } = timings;
  const timed = timings.timed.bind(timings);
  const artefacts = await timed("components and build", () => prepareArtefacts(say));
  await labDown(labNames(name), progress);
  await timed("lab of 5 machines booted", () => labUp(labNames(name), 1, progress));
  const world: World = { lab: openLab(name), artefacts, say };
  const { lab } = world;
  await timed("install.sh on 5 machines at once", () =>
    Promise.all([
      installMachine(world, "hub", "coordinator"),
      ...["web1", "api1", guestMachine, "rogue"].map((machine) => installMachine(world, machine, "agent")),
    ]),
  );
  await timed("weft init (hub Online)", () => initHub(world));
  await lab.run(guestMachine, ["useradd", "-r", "guest"]);
  await timed("weft apply --wait", () => applyMesh(world, meshWithGuest, "bench"));
  await timeJoin(timings, world, "web1", "join, components relayed, alone");
  await layComponents(world, "api1");
  await timeJoin(timings, world, "api1", "join, components present (systemd-resolved)", "< 8 s");
  await layComponents(world, guestMachine);
  await timeJoin(timings, world, guestMachine, "join, components present (plain file)", "< 8 s");

  await fleetEnforced(world, ["hub", "web1", "api1", guestMachine]);

  say(`reading for ${idleSeconds} s while nothing happens`);
  const machines = ["hub", "web1", "api1", guestMachine];
  const readings = await Promise.all(machines.map((machine) => readFootprint(lab, machine, idleSeconds)));
  for (const [index, machine] of machines.entries()) {
    const units = readings[index] ?? [];
    for (const { unit, rssMiB, privateMiB, idlePercent } of units)
      rows.push({
        what: `${machine}: ${unit}`,
        measured: `${rssMiB.toFixed(0)} MiB RSS, ${privateMiB.toFixed(0)} private, ${idlePercent.toFixed(2)} % CPU`,
        ...(unit === "weft-node-agent" ? { budget: "<= 90 RSS, <= 40 private, <= 0.2 % CPU" } : {}),
      });
    const whole = units
      .filter(({ unit }) => ["weft-node-agent", "spire-agent", "weft-dns"].includes(unit))
      .reduce((sum, { rssMiB }) => sum + rssMiB, 0);
    rows.push({
      what: `${machine}: agent + SPIRE agent + CoreDNS`,
      measured: `${whole.toFixed(0)} MiB RSS`,
      budget: "<= 220 MiB",
    });
  }

  const samples: number[] = [];
  for (let run = 0; run < starts; run++) samples.push(await agentStartMs(world, "api1"));
  rows.push({
    what: `agent start: exec to stream open (median of ${starts})`,
    measured: `${median(samples).toFixed(0)} ms`,
    budget: "< 400 ms",
  });
  return rows;
}

export async function meshBench({ name, keep, say }: MeshBenchOptions): Promise<void> {
  try {
    say(`\n${renderReport(await measure(name, say))}`);
  } finally {
    if (!keep) await labDown(labNames(name), { line: say, now: () => performance.now() });
  }
  const busy = loadavg().map((value) => value.toFixed(1));
  say(`\nload average of this machine: ${busy.join(" ")}`);
}
