// A rollout whose coordinator dies, and one to which anything happens.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import "../../../../test/support/property-seed.ts";
import { type Fate, file, names, settled } from "../../../../test/support/rollout-world.ts";

describe("a coordinator killed before and after each of its transactions", () => {
  it.each([...Array.from({ length: 12 }).keys()])("goes on where it was: a good one (%d)", (kill) => {
    const world = settled();
    world.killIn = kill;
    world.surviving(() => world.apply(file("v2")));
    // The operator sees that it failed, and does it again.
    world.surviving(() => world.apply(file("v2")));
    for (let round = 0; round < 6; round++) for (const node of names) world.surviving(() => world.work(node));
    world.surviving(() => world.pass(1));
    expect(names.map((node) => world.versionOf(node))).toEqual(["v2", "v2", "v2", "v2", "v2"]);
    expect(world.store.rollouts.running()).toBeUndefined();
  });

  it.each([...Array.from({ length: 12 }).keys()])("or stops and takes back: a bad one (%d)", (kill) => {
    const world = settled();
    world.fates.set("c v2", "reverted");
    world.apply(file("v2"));
    world.killIn = kill;
    for (let round = 0; round < 6; round++) for (const node of names) world.surviving(() => world.work(node));
    for (let round = 0; round < 4; round++) world.surviving(() => world.pass(1));
    for (const node of names) world.surviving(() => world.work(node));
    expect(names.map((node) => world.versionOf(node))).toEqual(["v1", "v1", "v1", "v1", "v1"]);
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
    expect(world.store.rollouts.get(2)?.state).toBe("stopped");
    expect(world.store.revisions.list().filter(({ restores }) => restores === 1)).toHaveLength(1);
  });
});

describe("whatever happens", () => {
  const act = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant("work" as const), node: fc.constantFrom(...names) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("connect" as const), node: fc.constantFrom(...names) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("disconnect" as const), node: fc.constantFrom(...names) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), seconds: fc.integer({ min: 1, max: 50 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("apply" as const), inWaves: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("kill" as const), after: fc.integer({ min: 0, max: 5 }) }),
    },
  );
  const fate = fc.constantFrom<Fate>(
    "enforced",
    "enforced",
    "enforced",
    "enforced",
    "reverted",
    "failed",
    "silent",
  );

  it("nobody is given what was stopped, nobody before his wave, and it ends", () => {
    fc.assert(
      fc.property(
        fc.array(act, { maxLength: 60 }),
        fc.array(fate, { minLength: 40, maxLength: 40 }),
        (acts, fates) => {
          const world = settled();
          let version = 1;
          let seen = 0;
          const check = () => {
            const rollouts = world.store.rollouts.list();
            const stopped = new Set(
              rollouts.filter(({ state }) => state === "stopped").map(({ revision }) => revision),
            );
            for (const state of world.store.desired.list()) expect(stopped.has(state.revision)).toBe(false);
            const running = rollouts.find(({ state }) => state === "running");
            for (const node of running?.course.waves.slice(running.course.begun).flat() ?? [])
              expect(world.store.desired.get(node)?.revision).not.toBe(running?.revision);
            // what was sent is what was on record
            for (const { node, generation } of world.given.slice(seen))
              expect(world.store.desired.get(node)!.generation).toBeGreaterThanOrEqual(generation);
            seen = world.given.length;
          };
          for (const each of acts) {
            world.surviving(() => {
              if (each.kind === "work") world.work(each.node);
              else if (each.kind === "connect") world.connect(each.node);
              else if (each.kind === "disconnect") world.disconnect(each.node);
              else if (each.kind === "pass") world.pass(each.seconds);
              else if (each.kind === "kill") world.killIn = each.after;
              else {
                version += 1;
                for (const [index, node] of names.entries())
                  world.fates.set(`${node} v${version}`, fates[(version * 5 + index) % fates.length]!);
                world.apply(file(`v${version}`, { inWaves: each.inWaves }));
              }
            });
            check();
          }
          for (let round = 0; round < 40 && world.store.rollouts.running() !== undefined; round++) {
            for (const node of names) world.surviving(() => world.work(node));
            world.surviving(() => world.pass(30));
            check();
          }
          expect(world.store.rollouts.running()).toBeUndefined();
        },
      ),
      { numRuns: process.env["WEFT_LONG"] === "1" ? 5_000 : 150 },
    );
  });
});
