import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { newGenerations, resume } from "./generations.ts";
import { SingleFlight } from "./single-flight.ts";

describe("a new revision", () => {
  it("gives a generation to the nodes it changes and to no other", () => {
    const web = emptyContent("web1");
    const api = emptyContent("api1", "10.77.0.12");
    const first = newGenerations(new Map(), new Map(Object.entries({ web1: web, api1: api })), 1);
    expect(first.map(({ node, generation, revision }) => [node, generation, revision])).toEqual([
      ["web1", 1, 1],
      ["api1", 1, 1],
    ]);
    const last = new Map(first.map((state) => [state.node, state]));
    const edited = { ...api, dns: { ...api.dns, zone: "other.internal" } };
    const second = newGenerations(last, new Map(Object.entries({ web1: web, api1: edited })), 2);
    expect(second).toEqual([{ ...sealed(edited), generation: 2, revision: 2 }]);
  });

  it("gives nothing when nothing changed, however often", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/)),
        fc.integer({ min: 1 }),
        (names, revision) => {
          const compiled = new Map(names.map((name) => [name, emptyContent(name)]));
          const last = new Map(newGenerations(new Map(), compiled, 1).map((state) => [state.node, state]));
          expect(newGenerations(last, compiled, revision)).toEqual([]);
        },
      ),
    );
  });
});

describe("a node that connects", () => {
  const wanted = { generation: 4, digest: "new" };
  it.each([
    ["the newest state", { generation: 4, digest: "new" }, { kind: "nothing" }],
    ["the same content under an older generation", { generation: 2, digest: "new" }, { kind: "send" }],
    ["an older state", { generation: 3, digest: "old" }, { kind: "send" }],
    ["nothing", { generation: 0, digest: "" }, { kind: "send" }],
    [
      "something this coordinator never gave",
      { generation: 9, digest: "x" },
      { kind: "raise", generation: 10 },
    ],
    [
      "another state of the same generation",
      { generation: 4, digest: "x" },
      { kind: "raise", generation: 5 },
    ],
  ])("and holds %s", (_what, held, decision) => {
    expect(resume(held, wanted)).toEqual(decision);
  });

  it("is sent nothing while nothing was compiled for it", () => {
    expect(resume({ generation: 0, digest: "" }, undefined)).toEqual({ kind: "nothing" });
  });
});

describe("single flight", () => {
  it("answers every request with a whole run after it, and never runs twice at once", async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    const waiting: (() => void)[] = [];
    const flight = new SingleFlight(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      runs += 1;
      running -= 1;
    });
    const first = flight.run();
    const second = flight.run();
    const third = flight.run();
    waiting.shift()?.();
    await first;
    expect(runs).toBe(1);
    while (waiting.length === 0) await Promise.resolve();
    waiting.shift()?.();
    await Promise.all([second, third]);
    expect([runs, most]).toEqual([2, 1]);
  });

  it("runs again after a failure", async () => {
    let fail = true;
    const flight = new SingleFlight(async () => {
      if (fail) throw new Error("away");
    });
    await expect(flight.run()).rejects.toThrow("away");
    fail = false;
    await flight.run();
  });
});
