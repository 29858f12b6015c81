// scripts/bench policy: from an edit to the verdict of 20 kernels, seen by real connections from outside, on the same
// machines in one go: Weft, a bare etcd watch loop, ssh, Ansible. In: the number of machines and rounds. Out: tables.

import { loadavg } from "node:os";
import { openLab } from "../../lab-src/lab.ts";
import { labDown, labUp } from "../../lab-src/lifecycle.ts";
import { labNames } from "../../lab-src/names.ts";
import { prepareArtefacts } from "../../quickstart-src/artefacts.ts";
import { applyMesh, initHub, installMachine, invite, join } from "../../quickstart-src/bring-up.ts";
import { inTurns } from "../../quickstart-src/in-turns.ts";
import { fleetEnforced } from "../../quickstart-src/proofs/survival.ts";
import { must, type World } from "../../quickstart-src/world.ts";
import { layComponents } from "../lay-components.ts";
import { AnsibleWay } from "./ansible-way.ts";
import { EtcdWay } from "./etcd-way.ts";
import { FlipProber, installListener, installProber, listenerPath } from "./flip-prober.ts";
import { compare, type Disagreement, type Round } from "./measurement.ts";
import { renderAgreement, renderWays } from "./render-policy.ts";
import { SshWay } from "./ssh-way.ts";
import { namesTheTroubled } from "./troubled.ts";
import type { Machines, Way } from "./way.ts";
import { WeftWay } from "./weft-way.ts";

const prober = "rogue";
/** A few machines at a time: two processors carry all of them. */
const together = 4;

export interface PolicyBenchOptions {
  readonly name: string;
  readonly machines: number;
  readonly rounds: number;
  readonly say: (line: string) => void;
  readonly keep: boolean;
}

async function bringUp(world: World, machines: Machines, weft: WeftWay): Promise<void> {
  const { say } = world;
  const others = machines.all.filter((machine) => machine !== machines.hub);
  await installProber(world, prober);
  await inTurns(machines.all, together, async (machine) => {
    await installMachine(world, machine, machine === machines.hub ? "coordinator" : "agent");
    if (machine !== machines.hub) await layComponents(world, machine);
    await must(world, machine, ["useradd", "-r", "app"]);
    await installListener(world, machine);
  });
  say(`installed on ${machines.all.length} machines`);
  await initHub(world);
  await applyMesh(world, weft.mesh(world, machines, false), "bench");
  await inTurns(others, together, async (machine) => join(world, machine, await invite(world, machine)));
  await fleetEnforced(world, machines.all);
  say(`joined: ${machines.all.length} machines ENFORCED`);
}

async function listen(world: World, machines: Machines, ports: readonly number[]): Promise<void> {
  const unit = ["systemd-run", "-q", "--unit", "bench-listener", "perl", listenerPath] as const;
  await Promise.all(machines.all.map((machine) => must(world, machine, [...unit, ...ports.map(String)])));
}

async function oneRound(world: World, machines: Machines, way: Way, open: boolean): Promise<Round> {
  const watch = { machines: machines.all, port: way.port, open };
  const watching = await FlipProber.start(world, prober, watch);
  try {
    const { began, returned } = await way.change(world, machines, open);
    return { began, returned, flips: await watching.flips() };
  } finally {
    await watching.stop();
  }
}

async function measure(
  world: World,
  machines: Machines,
  ways: readonly Way[],
  weft: WeftWay,
  rounds: number,
) {
  const results = new Map<Way, Round[]>(ways.map((way) => [way, []]));
  const agreement: Disagreement[] = [];
  for (let round = 0; round < rounds; round++) {
    const open = round % 2 === 0;
    for (const way of ways) {
      const result = await oneRound(world, machines, way, open);
      results.get(way)?.push(result);
      if (way === weft) agreement.push(...compare(await weft.enforcedAt(world, machines.hub), result.flips));
    }
    world.say(`round ${round + 1} of ${rounds}: ${open ? "opened" : "closed"}`);
  }
  return { results, agreement };
}

export async function policyBench(options: PolicyBenchOptions): Promise<void> {
  const { name, rounds, say } = options;
  const progress = { line: say, now: () => performance.now() };
  const artefacts = await prepareArtefacts(say);
  const extra = Array.from({ length: options.machines - 3 }, (_, index) => `n${index + 1}`);
  try {
    await labDown(labNames(name), progress);
    await labUp(labNames(name), extra.length, progress, "rivals");
    const world: World = { lab: openLab(name), artefacts, say };
    const machines: Machines = {
      all: ["hub", "web1", "api1", ...extra],
      hub: "hub",
      prober: world.lab.address(prober),
    };
    const weft = new WeftWay();
    const ways: readonly Way[] = [weft, new EtcdWay(), new SshWay(), new AnsibleWay()];
    await bringUp(world, machines, weft);
    await listen(
      world,
      machines,
      ways.map(({ port }) => port),
    );
    for (const way of ways) {
      await way.prepare(world, machines);
      say(`ready: ${way.name}`);
    }
    const { results, agreement } = await measure(world, machines, ways, weft, rounds);
    const busy = loadavg().map((value) => value.toFixed(1));
    say(`\n${renderWays(new Map([...results].map(([way, found]) => [way.name, found])))}`);
    say(`\n${renderAgreement(agreement)}`);
    say(`load average of this machine: ${busy.join(" ")}\n`);
    for (const line of await namesTheTroubled(world, machines, weft)) say(line);
  } finally {
    if (!options.keep) await labDown(labNames(name), progress);
  }
}
