import { describe, expect, it } from "@jest/globals";
import { file, names, settled } from "../../../../test/support/rollout-world.ts";
import { courseWord } from "./course-word.ts";

describe("a rollout", () => {
  it("goes to the canary, then wave after wave, each when the one before is in force", () => {
    const world = settled();
    world.apply(file("v2"));
    expect(world.reached("v2")).toEqual(["a"]);
    expect(world.desk.status()).toMatchObject({
      state: "running",
      revision: 2,
      base: 1,
      wave: 1,
      waves: 3,
      waitingFor: ["a"],
      nodes: 5,
      given: 1,
    });
    expect(world.store.desired.get("a")).toMatchObject({ confirmTimeoutSeconds: 7, keepEstablished: true });
    world.work("a");
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
    world.work("b");
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
    world.work("c");
    expect(world.reached("v2")).toEqual(names);
    for (const node of names) world.work(node);
    expect(world.store.rollouts.get(2)?.state).toBe("done");
    expect(world.desk.status()).toBeUndefined();
    expect(world.store.audit.list(5).map(({ action }) => action)).toEqual([
      "rolled out",
      "wave 3 of 3 began",
      "wave 2 of 3 began",
      "wave 1 of 3 began",
      "applied",
    ]);
  });

  it("that undoes itself on the canary never reaches another, and is taken back as a revision of its own", () => {
    const world = settled();
    world.fates.set("a v2", "reverted");
    world.apply(file("v2"));
    world.work("a");
    expect(world.reached("v2")).toEqual(["a"]);
    expect(world.given.at(-1)).toEqual({ node: "a", version: "v1", generation: 3 });
    expect(world.store.desired.get("a")).toMatchObject({ confirmTimeoutSeconds: 7, keepEstablished: true });
    expect(world.authority.revision).toBe(3);
    expect(world.store.revisions.current()).toMatchObject({
      restores: 1,
      claimedBy: "weft-coordinator",
      reason: "revision 2 was stopped: a REVERTED: port 22",
    });
    expect(world.desk.status()).toMatchObject({ state: "stopped", revision: 2, takenBackAs: 3 });
    expect(world.store.desired.get("b")).toMatchObject({ generation: 1, revision: 1 });
    // the same file again is a new try
    world.fates.clear();
    world.apply(file("v2"));
    world.work("a");
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
  });

  it("that fails in a later wave takes back those before it, too", () => {
    const world = settled();
    world.fates.set("c v2", "failed");
    world.apply(file("v2"));
    for (const node of ["a", "b", "c"]) world.work(node);
    expect(names.map((node) => world.versionOf(node))).toEqual(["v1", "v1", "v1", "v1", "v1"]);
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
    expect(world.desk.status()?.why).toBe("c failed: the node gave no reason");
    for (const node of names) world.work(node);
    expect(
      names.every(
        (node) =>
          courseWord(world.fleet.view(node), new Date(world.now), new Date(0)).standing === "enforced",
      ),
    ).toBe(true);
  });

  it("waits for nobody who is not there; on return they get what then holds, never what was stopped", () => {
    const world = settled();
    world.disconnect("b");
    world.pass(61);
    world.apply(file("v2"));
    for (const node of ["a", "c", "d", "e"]) world.work(node);
    // b comes last in order: the rollout is over without it
    expect(world.store.rollouts.get(2)?.state).toBe("done");
    expect(world.reached("v2")).not.toContain("b");
    world.connect("b");
    expect(world.reached("v2")).toContain("b");
    world.work("b");

    world.disconnect("e");
    world.pass(61);
    world.fates.set("c v3", "reverted");
    world.apply(file("v3"));
    for (const node of ["a", "b", "c"]) world.work(node);
    expect(world.desk.status()).toMatchObject({ state: "stopped" });
    world.connect("e");
    expect(world.reached("v3")).not.toContain("e");
    expect(world.versionOf("e")).toBe("v2");
  });

  it("is stopped by a node that falls silent, and by its deadline", () => {
    const silent = settled();
    silent.fates.set("a v2", "silent");
    silent.apply(file("v2"));
    silent.disconnect("a");
    silent.pass(59);
    expect(silent.desk.status()?.state).toBe("running");
    silent.pass(3);
    expect(silent.desk.status()).toMatchObject({
      state: "stopped",
      why: "a fell silent after it was given the change",
    });

    const late = settled();
    late.fates.set("a v2", "silent");
    late.apply(file("v2"));
    late.pass(120);
    expect(late.desk.status()?.state).toBe("running");
    late.pass(1);
    expect(late.desk.status()).toMatchObject({ state: "stopped", why: "not in force after 120 s on a" });
  });

  it("gives way to a newer one, whose taking back leads to what was in force before both", () => {
    const world = settled();
    world.apply(file("v2"));
    world.work("a");
    world.fates.set("a v3", "reverted");
    world.apply(file("v3"));
    expect(world.store.rollouts.get(2)).toMatchObject({ state: "superseded", endedBy: 3 });
    expect(world.store.rollouts.get(3)).toMatchObject({ base: 1 });
    world.work("a");
    for (const node of names) world.work(node);
    expect(names.map((node) => world.versionOf(node))).toEqual(["v1", "v1", "v1", "v1", "v1"]);
  });

  it("is everywhere at once when that is asked for, also for one that runs", () => {
    const world = settled();
    world.apply(file("v2"), { atOnce: true });
    expect(world.reached("v2")).toEqual(names);
    for (const node of names) world.work(node);
    world.apply(file("v3"));
    expect(world.reached("v3")).toEqual(["a"]);
    world.apply(file("v3"), { atOnce: true });
    expect(world.reached("v3")).toEqual(names);
    expect(world.store.rollouts.get(3)?.state).toBe("done");
  });

  it("keeps nobody from a ban, and a ban brings nobody what waits for its wave; taking back keeps it", () => {
    const world = settled();
    world.fates.set("b v2", "reverted");
    world.apply(file("v2"));
    world.ban("10.77.0.99");
    const carried = () =>
      world.store.desired
        .list()
        .map(({ node, dns, policy }) => `${node} ${dns.zone} ${policy.guard.banned.join()}`);
    expect(carried()).toEqual([
      "a v2 10.77.0.99",
      ...["b", "c", "d", "e"].map((node) => `${node} v1 10.77.0.99`),
    ]);
    for (const node of ["b", "a", "b"]) world.work(node);
    expect(world.desk.status()).toMatchObject({ state: "stopped", why: "b REVERTED: port 22" });
    expect(carried()).toEqual(names.map((node) => `${node} v1 10.77.0.99`));
  });

  it("takes nodes that only the stopped file names out again", () => {
    const world = settled();
    world.apply(file("v2", { nodes: [...names, "f"] }));
    expect(world.versionOf("f")).toBeUndefined();
    for (const node of names) world.work(node);
    for (const node of names) world.work(node);
    expect(world.store.rollouts.get(2)?.state).toBe("done");
    expect(world.versionOf("f")).toBe("v2");
    world.fates.set("c v3", "failed");
    world.apply(file("v3", { nodes: [...names, "f", "g"] }));
    for (const node of names) world.work(node);
    expect(world.versionOf("g")).toBeUndefined();
    expect(world.versionOf("f")).toBe("v2");
  });
});
