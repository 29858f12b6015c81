import { beforeEach, describe, expect, it } from "@jest/globals";
import { reportOf } from "../../../../test/support/report.ts";
import { Fleet } from "../fleet/fleet.ts";
import { type NodeWord, watchApply } from "./apply-watch.ts";

const at = new Date("2026-03-01T10:00:00Z");
const digest = "new";
let fleet: Fleet;
let words: NodeWord[];
let stop: AbortController;
beforeEach(() => {
  fleet = new Fleet();
  words = [];
  stop = new AbortController();
  for (const node of ["web1", "api1"])
    fleet.note(node, { kind: "wanted", wanted: { generation: 2, digest, revision: 2 } });
});

const watch = (nodes: string[], timeoutMs = 5_000) =>
  watchApply({
    fleet,
    nodes,
    timeoutMs,
    signal: stop.signal,
    now: () => at,
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
    expect(await result).toEqual({ complete: true, missing: [] });
    expect(words[0]?.detail).toBe(
      "kernel of web1; its floor refused 1: floor.yaml:4 refused policy ops (mesh.yaml:12): from 0.0.0.0/0",
    );
  });

  it("ends when the last kernel carries the state", async () => {
    const result = watch(["web1", "api1"]);
    enforce("web1");
    say("api1", { phase: "applying" });
    enforce("api1");
    expect(await result).toEqual({ complete: true, missing: [] });
    expect(words).toEqual([
      { node: "web1", phase: "enforced", afterMs: 0, detail: "kernel of web1" },
      { node: "api1", phase: "enforced", afterMs: 0, detail: "kernel of api1" },
    ]);
  });

  it("ends at once with nobody to wait for, or with kernels that carry it already", async () => {
    expect(await watch([])).toEqual({ complete: true, missing: [] });
    enforce("web1");
    expect(await watch(["web1"])).toEqual({ complete: true, missing: [] });
  });

  it("ends early when those left have failed, and says why", async () => {
    const result = watch(["web1", "api1"]);
    fail("api1");
    fail("api1");
    enforce("web1");
    expect(await result).toEqual({ complete: false, missing: ["api1"] });
    expect(words.filter(({ phase }) => phase === "failed")).toEqual([
      { node: "api1", phase: "failed", afterMs: 0, detail: "loadPolicy revision 2: no" },
    ]);
  });

  it("tells what has undone itself from what failed", async () => {
    const result = watch(["web1"]);
    const conditions = [{ code: "POLICY_REVERTED", detail: "port 22 is not reached", since: at }] as const;
    say("web1", { phase: "reverted", conditions });
    expect(await result).toEqual({ complete: false, missing: ["web1"] });
    expect(words).toMatchObject([{ node: "web1", phase: "reverted", detail: "port 22 is not reached" }]);
  });

  it("takes no word about an older generation of the same state for the answer", async () => {
    say("web1", { generation: 1, phase: "reverted" });
    expect(await watch(["web1"], 20)).toEqual({ complete: false, missing: ["web1"] });
    expect(words).toEqual([]);
  });

  it("goes on while one that failed tries again", async () => {
    const result = watch(["web1", "api1"]);
    fail("api1");
    say("api1", { phase: "applying" });
    enforce("web1");
    enforce("api1");
    expect(await result).toEqual({ complete: true, missing: [] });
  });

  it("names the silent ones when the time is up", async () => {
    const result = watch(["web1", "api1"], 20);
    enforce("web1");
    expect(await result).toEqual({ complete: false, missing: ["api1"] });
  });

  it("ends when nobody listens any more", async () => {
    const result = watch(["web1"], 60_000);
    stop.abort();
    expect(await result).toEqual({ complete: false, missing: ["web1"] });
  });
});
