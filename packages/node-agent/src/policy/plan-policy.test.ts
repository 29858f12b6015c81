import { describe, expect, it } from "@jest/globals";
import type { ConfirmedPolicy } from "./confirmed.ts";
import { planHold, planPolicy } from "./plan-policy.ts";

const wanted = {
  generation: 5,
  revision: 2,
  digest: "d",
  textIn: (slot: string) => `rules ${slot}`,
  stageIn: (slot: string) => `stage ${slot}`,
  arming: () => "arm",
  tracking: () => "track",
};
const confirmed: ConfirmedPolicy = {
  text: "rules a",
  source: "confirmed",
  slot: "a",
  revision: 2,
  digest: "d",
  guardPorts: [],
  fingerprint: "f",
  parts: { slot: "f", empty: "", frame: "r" },
  recordedDigest: "d",
};
const slots = { a: "f", b: "" };
const kernel = { revision: 2, digest: "d", fingerprint: "f", armed: undefined, slots, frame: "r" };
const older = { ...confirmed, text: "older a", revision: 1, digest: "c" };
const olderKernel = { revision: 1, digest: "c", fingerprint: "f", armed: undefined, slots, frame: "r" };
const plan = (observed: Partial<Parameters<typeof planPolicy>[1]>, change = {}) =>
  planPolicy({ ...wanted, ...change }, { confirmed, kernel, reverted: undefined, ...observed });

describe("planPolicy", () => {
  it("does nothing when disk and kernel have it", () => {
    expect(plan({})).toEqual({ steps: [], drift: undefined });
  });

  it("tracks first on a machine without a table, and loads directly: there is nothing to go back to", () => {
    const { steps, drift } = plan({ confirmed: undefined, kernel: undefined });
    expect(steps).toMatchObject([
      { kind: "loadPolicy", args: { text: "rules a", tracking: "track", revision: 2 } },
    ]);
    expect(drift).toBeUndefined();
  });

  it("arms a new policy in the slot that is free, without calling the old one drifted", () => {
    for (const [slot, free] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      const { steps, drift } = plan({ confirmed: { ...older, slot }, kernel: olderKernel });
      expect(steps).toEqual([
        {
          kind: "armPolicy",
          args: {
            text: `rules ${free}`,
            stage: `stage ${free}`,
            arm: "arm",
            revision: 2,
            digest: "d",
            generation: 5,
          },
        },
      ]);
      expect(drift).toBeUndefined();
    }
  });

  it("loads the confirmed one first when the kernel has something else to go back to", () => {
    for (const found of [undefined, { ...olderKernel, fingerprint: "other" }]) {
      const { steps } = plan({ confirmed: older, kernel: found });
      expect(steps.map(({ kind }) => kind)).toEqual(["loadPolicy", "armPolicy"]);
      expect(steps[0]).toMatchObject({ args: { text: "older a", revision: 1 } });
    }
  });

  it("loads directly what is the same policy written anew, in its own slot", () => {
    const b = { ...confirmed, slot: "b", text: "rules b, of other uids" } as const;
    expect(plan({ confirmed: b }).steps).toMatchObject([{ kind: "loadPolicy", args: { text: "rules b" } }]);
  });

  it("holds still after it was undone, until a newer generation comes", () => {
    const reverted = { generation: 5, digest: "d", reason: "" };
    const observed = { confirmed: older, kernel: olderKernel, reverted };
    expect(plan(observed).steps).toEqual([]);
    expect(plan(observed, { generation: 6 }).steps).toMatchObject([{ kind: "armPolicy" }]);
    // and still keeps the one before in force
    expect(plan({ ...observed, kernel: undefined }).steps).toMatchObject([
      { kind: "loadPolicy", args: { text: "older a" } },
    ]);
  });

  it.each([
    ["gone", undefined],
    ["changed", { ...kernel, fingerprint: "other" }],
  ])("puts back a table that is %s, and says so", (what, found) => {
    const { steps, drift } = plan({ kernel: found });
    expect(steps).toHaveLength(1);
    expect(drift).toContain(what);
  });

  it("writes a damaged file anew when the record says that what is wanted was confirmed", () => {
    const damaged = { ...older, source: "previous", recordedDigest: "d" } as const;
    expect(plan({ confirmed: damaged }).steps).toMatchObject([
      { kind: "loadPolicy", args: { text: "rules a", revision: 2 } },
    ]);
  });

  it("proves what was never confirmed, beside what boot fell back on", () => {
    for (const source of ["previous", "guards-only"] as const) {
      const confirmed = { ...older, source, recordedDigest: "", fingerprint: "" };
      const { steps } = plan({ confirmed });
      expect(steps.map(({ kind }) => kind)).toEqual(["loadPolicy", "armPolicy"]);
      expect(steps[0]).toMatchObject({ args: { text: "older a" } });
    }
  });

  it("does not load what has undone itself because every file is damaged", () => {
    const reverted = { generation: 5, digest: "d", reason: "" };
    expect(plan({ confirmed: undefined, reverted }).steps).toEqual([]);
  });

  it("loads again, without blame, what a crash left without a record", () => {
    const { steps, drift } = plan({ confirmed: { ...confirmed, fingerprint: "" }, kernel: undefined });
    expect(steps).toHaveLength(1);
    expect(drift).toBeUndefined();
  });
});

describe("planHold", () => {
  it("wants nothing but what is confirmed, and puts that back", () => {
    expect(planHold({ confirmed: undefined, kernel: undefined }).steps).toEqual([]);
    expect(planHold({ confirmed, kernel })).toEqual({ steps: [], drift: undefined });
    for (const found of [undefined, { ...kernel, fingerprint: "other" }]) {
      const { steps, drift } = planHold({ confirmed, kernel: found });
      expect(steps).toMatchObject([{ kind: "loadPolicy", args: { text: "rules a", digest: "d" } }]);
      expect(drift).toBeDefined();
    }
  });
});
