// The dead-man switch on machines: a policy that cuts its author off undoes itself with agent and coordinator dead; what
// was confirmed stays, also over a reboot; and an agent killed between any two steps leaves kernel, disk and coordinator
// of one mind. Several nodes at once: one death of the coordinator and of all their agents is as many cases.
// WEFT_LONG=1 runs the long counts.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { until } from "../../scripts/quickstart-src/world.ts";
import { DeadManFleet, earlyPort, sshPort } from "../support/dead-man/fleet.ts";
import { type Gap, gaps, StepKills } from "../support/dead-man/step-kills.ts";

const isLong = process.env["WEFT_LONG"] === "1";
const [cases, perGap] = isLong ? [100, 200] : [2, 1];
const extra = Array.from({ length: isLong ? 10 : 0 }, (_, index) => `n${index + 1}`);
const nodes = ["web1", "api1", ...extra];
const confirmSeconds = 4;
const minutes = (count: number) => count * 60_000;
const name = `dead-man-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };

let fleet: DeadManFleet;
/** Of the next policy: every round has a new one. */
let port = 9000;
const say = (text: string) => void process.stderr.write(`${text}\n`);
const carriedByAll = () => fleet.each((node) => fleet.carried(node));
const allAre = (word: string) => new Map(nodes.map((node) => [node, word]));

beforeAll(async () => {
  await labUp(labNames(name), extra.length, progress);
  const world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  fleet = new DeadManFleet(world, nodes);
  await fleet.bringUp();
  await fleet.stayDead(true);
  await fleet.startProber();
  await fleet.untilClient(true, 10_000);
}, minutes(6));

// whatever the test before has come to
beforeEach(() => fleet.reviveAll());

afterAll(async () => {
  await fleet.stopProber();
  await labDown(labNames(name), progress);
}, minutes(1));

describe("a policy that cuts its author off", () => {
  it(
    "is told as REVERTED, held back, and tried again only when it is applied again",
    async () => {
      const bad = fleet.bad(++port);
      const said = await fleet.apply(bad, confirmSeconds, "--wait");
      expect(said).toMatch(/web1 REVERTED after \d+.*reaches guard port 22 no more/);
      expect(said).toMatch(/^REVERTED: .*web1/m);
      expect(await fleet.agreement()).toEqual(allAre("REVERTED"));
      await fleet.untilClient(true, 1_000);
      const journal = () => fleet.on("web1", "journalctl", "-u", "weft-node-agent", "-o", "cat");
      const tries = async () => (await journal()).split("armPolicy").length - 1;
      const before = await tries();
      await fleet.on("web1", "systemctl", "restart", "weft-node-agent");
      expect(await fleet.agreement()).toEqual(allAre("REVERTED"));
      expect(await tries()).toBe(before);
      expect(await fleet.apply(bad, confirmSeconds, "--wait")).toMatch(/web1 REVERTED/);
      expect(await tries()).toBe(before + 1);
      await fleet.applied(fleet.good(++port));
    },
    minutes(3),
  );

  it(
    `undoes itself with agent and coordinator dead (${cases} times)`,
    async () => {
      const cutFor: number[] = [];
      for (let spoiled = 0; cutFor.length < cases; ) {
        const before = await carriedByAll();
        const since = Date.now();
        await fleet.apply(fleet.bad(++port), confirmSeconds);
        await fleet.untilCut(since, 60_000);
        await fleet.killAll();
        const struck = nodes.filter((node) => !fleet.isOpen(node));
        // one that was armed long before the last of them is back already: no case
        spoiled += nodes.length - struck.length;
        expect(spoiled).toBeLessThan(cases + 4 * nodes.length);
        await fleet.untilClient(true, confirmSeconds * 1000 + 1000);
        for (const node of struck) {
          const [closed, opened] = fleet.seen(node, sshPort).slice(-2);
          cutFor.push((opened?.at ?? 0) - (closed?.at ?? 0));
        }
        await fleet.allDead();
        expect((await carriedByAll()).map(({ kernel, disk, armed }) => ({ kernel, disk, armed }))).toEqual(
          before.map(({ kernel, disk }) => ({ kernel, disk, armed: false })),
        );
        await fleet.reviveAll();
        expect(await fleet.agreement()).toEqual(allAre("REVERTED"));
        expect(await carriedByAll()).toEqual(before);
      }
      cutFor.sort((a, b) => a - b);
      say(
        `${cutFor.length} cut off for ${confirmSeconds} s and back: ms ${cutFor.map(Math.round).join(" ")}`,
      );
      expect(cutFor.at(-1)).toBeLessThan(confirmSeconds * 1000 + 1000);
      await fleet.applied(fleet.good(++port));
    },
    minutes(cases + 2),
  );

  it(
    "lets an administrator in by break-glass while it is armed and both are dead, and not longer than that is open",
    async () => {
      await fleet.apply(fleet.bad(++port), 180);
      await fleet.untilClient(false, 60_000);
      await fleet.killAll();
      const glass = (...flags: string[]) =>
        fleet.each((node) => fleet.on(node, "weft-node-agent", "break-glass", ...flags));
      await glass("--from", "10.77.0.66", "--for", "5m");
      await fleet.untilClient(true, 2_000);
      expect((await carriedByAll()).map(({ armed }) => armed)).toEqual(nodes.map(() => true));
      await glass("--close");
      await fleet.untilClient(false, 2_000);
      await glass("--from", "10.77.0.66", "--for", "5m");
      await fleet.reviveAll();
      // open over the change of the rules below it, too
      await fleet.applied(fleet.good(++port));
      expect(fleet.seen("web1", sshPort).at(-1)?.isOpen).toBe(true);
      await glass("--close");
    },
    minutes(3),
  );
});

describe("what was confirmed", () => {
  it(
    `stays with both dead, and over a reboot, with something armed or not, without an open moment (${cases} times)`,
    async () => {
      let [stayed, rebooted] = [0, 0];
      for (let round = 0; rebooted < cases || stayed < cases; round++) {
        await fleet.applied(fleet.good(++port));
        const before = await carriedByAll();
        if (round % 2 === 0) {
          await fleet.killAll();
          const over = Date.now() + confirmSeconds * 1000 + 500;
          await until("the time is over", 10_000, async () => (Date.now() > over ? true : undefined));
          expect(await carriedByAll()).toEqual(before);
          stayed += nodes.length;
        } else {
          await fleet.apply(fleet.bad(++port), 180);
          await fleet.untilClient(false, 60_000);
          await fleet.killAll();
        }
        await fleet.each((node) => fleet.world.lab.crash(node));
        expect((await carriedByAll()).map(({ kernel, disk, armed }) => ({ kernel, disk, armed }))).toEqual(
          before.map(({ kernel, disk }) => ({ kernel, disk, armed: false })),
        );
        await fleet.untilClient(true, 10_000);
        rebooted += nodes.length;
        await fleet.reviveAll();
        expect(await fleet.agreement()).toEqual(allAre(round % 2 === 0 ? "ENFORCED" : "REVERTED"));
        expect(await carriedByAll()).toEqual(before);
      }
      for (const node of nodes)
        expect(fleet.seen(node, earlyPort).filter(({ isOpen }) => isOpen)).toEqual([]);
      say(
        `confirmed and both dead: ${stayed} stayed; ${rebooted} reboots: no answer of a port that is closed`,
      );
      await fleet.applied(fleet.good(++port));
    },
    minutes(cases + 3),
  );
});

describe("an agent killed between any two steps of a change", () => {
  const untilProof: readonly Gap[] = gaps.slice(0, 4);

  it(
    `leaves kernel, disk and coordinator of one mind after a reconnect (${perGap} times each)`,
    async () => {
      await fleet.stayDead(false);
      const kills = new StepKills(fleet);
      await kills.start();
      const ends: Record<string, number> = {};
      const isDone = () => [...kills.landed.values()].every((count) => count >= perGap);
      let slowest = 0;
      for (let round = 0; !isDone() && round < perGap * 4 + 20; round++) {
        const isBad = round % 3 === 2;
        const text = isBad ? fleet.bad(++port) : fleet.good(++port);
        const where = await kills.round(
          () => fleet.apply(text, isBad ? confirmSeconds : 10),
          isBad ? untilProof : gaps,
        );
        const began = performance.now();
        // every fifth time its coordinator is gone, too, when the agent asks for its proof
        if (round % 5 === 4)
          await fleet.sh("hub", "systemctl kill -s KILL weft-coordinator; systemctl start weft-coordinator");
        const words = await fleet.agreement();
        slowest = Math.max(slowest, performance.now() - began);
        await fleet.untilClient(true, 2_000);
        for (const [node, gap] of where) {
          const end = `${gap ?? "elsewhere"}: ${isBad ? "bad " : ""}${words.get(node)}`;
          ends[end] = (ends[end] ?? 0) + 1;
        }
        if (isBad) expect(words).toEqual(allAre("REVERTED"));
        if (isLong && round % 20 === 19) say(`round ${round + 1}: ${kills.table()}`);
      }
      await kills.stop();
      say(
        `${kills.table()}${JSON.stringify(ends, undefined, 1)}\nslowest agreement ms ${Math.round(slowest)}`,
      );
      expect(isDone()).toBe(true);
    },
    minutes(perGap + 5),
  );
});
