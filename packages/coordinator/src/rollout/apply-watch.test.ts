import { beforeEach, describe, expect, it } from "@jest/globals";
import { reportOf } from "../../../../test/support/report.ts";
import { Fleet } from "../fleet/fleet.ts";
import { type NodeWord, watchApply } from "./apply-watch.ts";
import type { RolloutEvent } from "./rollout-desk.ts";

const at = new Date("2026-03-01T10:00:00Z");
const digest = "new";
let fleet: Fleet;
let words: NodeWord[];
let stop: AbortController;
let now: Date;
let events: RolloutEvent[];
let follow: ((event: RolloutEvent) => void) | undefined;
beforeEach(() => {
  now = at;
  events = [];
  follow = undefined;
  fleet = new Fleet();
  words = [];
  stop = new AbortController();
  for (const node of ["web1", "api1"])
    fleet.note(node, {
      kind: "wanted",
      wanted: { generation: 2, digest, revision: 2, enforcement: "nftables" },
    });
});

const watch = (nodes: string[], timeoutMs = 5_000, inWaves = false) =>
  watchApply({
    fleet,
    rollout: inWaves
      ? (listener) => {
          follow = listener;
          return () => {};
        }
      : undefined,
    tell: (event) => events.push(event),
    nodes,
    timeoutMs,
    signal: stop.signal,
    now: () => now,
    say: (word) => words.push(word),
  });
const say = (node: string, change: Parameters<typeof reportOf>[0]) =>
  fleet.note(node, { kind: "report", at, report: reportOf({ generation: 2, digest, ...change }) });
const enforce = (node: string) =>
  say(node, { phase: "enforced", enforcedDigest: digest, witness: `kernel of ${node}` });
const fail = (node: string) =>
  say(node, {
    phase: "failed",
    steps: [{ step: "loadPolicy", subject: "revision 2", result: "failed", detail: "no", durationMs: 1 }],
  });

describe("waiting for an apply", () => {
  it("says what a node's own floor refused of what it now carries", async () => {
    const result = watch(["web1"]);
    const refusal = { line: 4, policy: "ops", file: "mesh.yaml", ruleLine: 12, what: "from 0.0.0.0/0" };
    const floor = { state: "in-force" as const, refusals: [refusal], leftOut: 0 };
    say("web1", { phase: "enforced", enforcedDigest: digest, witness: "kernel of web1", floor });
    expect(await result).toMatchObject({ complete: true, missing: [] });
    expect(words[0]?.detail).toBe(
      "kernel of web1; its floor refused 1: floor.yaml:4 refused policy ops (mesh.yaml:12): from 0.0.0.0/0",
    );
  });

  it("ends when the last kernel carries the state", async () => {
    const result = watch(["web1", "api1"]);
    enforce("web1");
    say("api1", { phase: "applying" });
    enforce("api1");
    expect(await result).toMatchObject({ complete: true, missing: [] });
    expect(words).toMatchObject([
      { node: "web1", phase: "enforced", afterMs: 0, detail: "kernel of web1" },
      { node: "api1", phase: "enforced", afterMs: 0, detail: "kernel of api1" },
    ]);
  });

  it("ends at once with nobody to wait for, or with kernels that carry it already", async () => {
    expect(await watch([])).toMatchObject({ complete: true, missing: [] });
    enforce("web1");
    expect(await watch(["web1"])).toMatchObject({ complete: true, missing: [] });
  });

  it("ends early when those left have failed, and says why", async () => {
    const result = watch(["web1", "api1"]);
    fail("api1");
    fail("api1");
    enforce("web1");
    expect(await result).toMatchObject({ complete: false, missing: ["api1"] });
    expect(words.filter(({ phase }) => phase === "failed")).toMatchObject([
      { node: "api1", phase: "failed", afterMs: 0, detail: "loadPolicy revision 2: no" },
    ]);
  });

  it("tells what has undone itself from what failed", async () => {
    const result = watch(["web1"]);
    const conditions = [{ code: "POLICY_REVERTED", detail: "port 22 is not reached", since: at }] as const;
    say("web1", { phase: "reverted", conditions });
    expect(await result).toMatchObject({ complete: false, missing: ["web1"] });
    expect(words).toMatchObject([{ node: "web1", phase: "reverted", detail: "port 22 is not reached" }]);
  });

  it("takes no word about an older generation of the same state for the answer", async () => {
    say("web1", { generation: 1, phase: "reverted" });
    expect(await watch(["web1"], 20)).toMatchObject({ complete: false, missing: ["web1"] });
    expect(words).toEqual([]);
  });

  it("goes on while one that failed tries again", async () => {
    const result = watch(["web1", "api1"]);
    fail("api1");
    say("api1", { phase: "applying" });
    enforce("web1");
    enforce("api1");
    expect(await result).toMatchObject({ complete: true, missing: [] });
  });

  it("names the silent ones when the time is up", async () => {
    const result = watch(["web1", "api1"], 20);
    enforce("web1");
    expect(await result).toMatchObject({ complete: false, missing: ["api1"] });
  });

  it("ends when nobody listens any more", async () => {
    const result = watch(["web1"], 60_000);
    stop.abort();
    expect(await result).toMatchObject({ complete: false, missing: ["web1"] });
  });
});

const later = (seconds: number) => {
  now = new Date(at.getTime() + seconds * 1000);
};
const connect = (node: string) => fleet.note(node, { kind: "connected", at: now, agentVersion: "" });

describe("what is said of the kernels", () => {
  it("is how long each took since it was given the change, by one clock, and when by its own", async () => {
    const result = watch(["web1", "api1"]);
    later(1);
    const enforcedAt = new Date("2026-03-01T11:00:00Z");
    say("web1", { phase: "enforced", enforcedDigest: digest, enforcedAt });
    later(7);
    enforce("api1");
    const { times } = await result;
    expect(words).toMatchObject([
      { node: "web1", afterMs: 1000, sinceGivenMs: 1000, enforcedAt },
      { node: "api1", afterMs: 7000 },
    ]);
    expect(times).toEqual({ p50Ms: 1000, p99Ms: 7000, maxMs: 7000, slow: ["api1"] });
  });

  it("tells the frozen, the absent and the late apart", async () => {
    for (const node of ["frozen", "late"]) connect(node);
    for (const node of ["frozen", "late", "absent"])
      fleet.note(node, {
        kind: "wanted",
        wanted: { generation: 2, digest, revision: 2, enforcement: "nftables" },
      });
    const result = watch(["frozen", "late", "absent"]);
    later(11);
    fleet.note("late", { kind: "seen", at: now });
    stop.abort();
    expect(await result).toMatchObject({
      missing: ["frozen", "late", "absent"],
      frozen: ["frozen"],
      absent: ["absent"],
      times: undefined,
    });
  });
});

describe("waiting for a rollout", () => {
  const want = (node: string, generation: number) =>
    fleet.note(node, {
      kind: "wanted",
      wanted: { generation, digest, revision: generation, enforcement: "nftables" },
    });

  it("goes from wave to wave, and waits for nobody who is not there", async () => {
    connect("web1");
    const result = watch(["web1"], 5_000, true);
    enforce("web1");
    later(60);
    follow?.({ kind: "wave", number: 2, of: 2, nodes: ["api1", "db1"] });
    connect("api1");
    later(61);
    enforce("api1");
    follow?.({ kind: "done" });
    expect(await result).toMatchObject({
      complete: false,
      outcome: "in-force",
      missing: ["db1"],
      absent: ["db1"],
    });
    expect(words).toMatchObject([
      { sinceGivenMs: 0 },
      { node: "api1", afterMs: 61_000, sinceGivenMs: 1_000 },
    ]);
  });

  it("stays until what was stopped is taken back", async () => {
    connect("web1");
    const result = watch(["web1"], 5_000, true);
    say("web1", { phase: "reverted" });
    want("web1", 3);
    const takenBack = { revision: 3, changed: [{ node: "web1" }] } as never;
    follow?.({ kind: "stopped", why: "web1 REVERTED", takenBack });
    say("web1", { generation: 3, phase: "enforced", enforcedDigest: digest });
    expect(await result).toMatchObject({
      complete: false,
      outcome: "stopped",
      missing: [],
      times: undefined,
    });
    expect(words.map(({ phase }) => phase)).toEqual(["failed", "taken-back"]);
    expect(events.map(({ kind }) => kind)).toEqual(["stopped"]);
  });

  it("ends when a newer one takes its place, and says that it goes on when the time is up", async () => {
    const first = watch(["web1"], 5_000, true);
    follow?.({ kind: "superseded" });
    expect(await first).toMatchObject({ complete: false, outcome: "superseded" });
    expect(await watch(["web1"], 20, true)).toMatchObject({ complete: false, outcome: "rolling-out" });
  });
});
