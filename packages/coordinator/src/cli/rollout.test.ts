// What the command line says of rollouts, rollbacks and history, against a fake coordinator on a real socket.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import type { RevisionEntry } from "@weft/shared/gen/weft/v1/rollout";
import type { RolloutStatus } from "@weft/shared/model/fleet";
import { capturedTerminal } from "../../../../test/support/captured-terminal.ts";
import { type ControlAnswers, startFakeControlServer } from "../../../../test/support/fake-control-server.ts";
import { after, sampleFleet } from "../../../../test/support/fleet-sample.ts";
import { loadMesh } from "../mesh/validate.ts";
import { linuxMachine } from "../setup/linux-machine.ts";
import { connectSpireServer } from "../spire/spire-client.ts";
import { connectControl } from "./control-client.ts";
import { readMeshSources } from "./mesh-sources.ts";
import { runCli } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-rollout-"));
const file = join(folder, "mesh.yaml");
writeFileSync(
  file,
  "weft: v1\nmesh: shop\ntrustDomain: mesh.internal\nnodes:\n  hub: { address: 10.77.0.10 }\n",
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function weft(argv: readonly string[], answers: ControlAnswers) {
  const server = await startFakeControlServer(answers);
  const terminal = capturedTerminal();
  try {
    const code = await runCli([...argv, "--socket", server.socketPath], {
      terminal,
      signal: new AbortController().signal,
      now: () => after(0),
      connect: connectControl,
      connectSpire: (socketPath) => connectSpireServer({ socketPath, now: () => after(0) }),
      readSources: readMeshSources,
      loadMesh: async (sources) => loadMesh(sources, { coordinatorNode: undefined }),
      meshJsonSchema: async () => ({}),
      writeSecret: async () => undefined,
      claimedBy: "ann",
      operator: undefined,
      machine: linuxMachine(),
    });
    return { code, out: terminal.outLines.join("\n"), err: terminal.errLines.join("\n") };
  } finally {
    server.stop();
  }
}

const accepted = {
  $case: "accepted" as const,
  value: { revision: 5n, nodes: ["api1", "web1"], unchanged: false },
};
const wave = (number: number, nodes: string[], absent: string[] = []) => ({
  $case: "wave" as const,
  value: { number, of: 2, nodes, absent },
});
const enforced = (node: string, phase = "enforced") => ({
  $case: "node" as const,
  value: {
    node,
    phase,
    afterMs: 4_000,
    detail: `kernel of ${node}`,
    enforcedAt: after(1),
    sinceGivenMs: 300,
  },
});
const done = (change: object) => ({
  $case: "done" as const,
  value: { complete: false, missing: [] as string[], ...change },
});
const run = (...events: ReturnType<typeof wave | typeof enforced | typeof done>[]) =>
  weft(["apply", file, "--wait"], { apply: () => [accepted, ...events] as never });

describe("apply --wait", () => {
  it("tells waves, when each kernel carried it by whose clock, and how long it takes", async () => {
    const times = { p50Ms: 300, p99Ms: 2_500, maxMs: 2_500, slow: ["web1"] };
    const { code, out } = await run(
      wave(1, ["api1"]),
      enforced("api1"),
      wave(2, ["web1", "db1"], ["db1"]),
      enforced("web1"),
      done({ complete: true, outcome: "in-force", times }),
    );
    expect(out).toBe(
      [
        "revision 5 accepted for api1, web1",
        "wave 1 of 2 (canary): api1",
        "  api1 enforced after 4 s (kernel of api1, at 12:00:01.000Z by its clock)",
        "wave 2 of 2: web1, db1; absent, not waited for: db1",
        "  web1 enforced after 4 s (kernel of web1, at 12:00:01.000Z by its clock)",
        "from given to the kernel's word heard, by the coordinator's clock: p50 300 ms, p99 2 s, max 2 s; slow: web1",
        "revision 5 is in force everywhere",
      ].join("\n"),
    );
    expect(code).toBe(0);
  });

  it("1: stopped and taken back; 4: where that was not heard of everywhere", async () => {
    const stopped = {
      $case: "stopped" as const,
      value: { why: "api1 REVERTED: port 22", takenBackAs: 6n, nodes: ["api1"] },
    } as never;
    const all = await run(
      wave(1, ["api1"]),
      stopped,
      enforced("api1", "taken-back"),
      done({ outcome: "stopped" }),
    );
    expect(all.out).toContain(
      "STOPPED: api1 REVERTED: port 22; taken back on api1\n  api1 taken back after 4 s",
    );
    expect(all.err).toContain("revision 5 was stopped: api1 REVERTED: port 22 (WEFT-E105)");
    expect(all.err).toContain("what was in force before is in force again, as revision 6");
    expect(all.code).toBe(1);
    const some = await run(wave(1, ["api1"]), stopped, done({ outcome: "stopped", missing: ["api1"] }));
    expect(some.err).toContain("is revision 6, not heard of yet: api1");
    expect(some.code).toBe(4);
  });

  it("4: only absent ones are missing after a rollout; 5: it goes on, or nodes are frozen", async () => {
    const absent = await run(
      wave(1, ["api1"]),
      done({ outcome: "in-force", missing: ["db1"], absent: ["db1"] }),
    );
    expect(absent.err).toContain("absent: db1: not connected; given it on return");
    expect(absent.code).toBe(4);
    const goesOn = await run(wave(1, ["api1"]), done({ outcome: "rolling-out", missing: ["api1"] }));
    expect(goesOn.err).toContain("revision 5 is still on its way after 60 s");
    expect(goesOn.code).toBe(5);
    const frozen = await run(done({ outcome: "in-force", missing: ["web1", "api1"], frozen: ["api1"] }));
    expect(frozen.err).toContain("not in force after 60 s on: web1 (");
    expect(frozen.err).toContain("frozen: api1: connected when it was given, silent since");
    expect(frozen.code).toBe(5);
    expect((await run(done({ outcome: "superseded" }))).code).toBe(4);
  });
});

const entry = (revision: number, change: Partial<RevisionEntry> = {}): RevisionEntry => ({
  revision: BigInt(revision),
  at: after(revision),
  claimedBy: "ann",
  reason: "",
  digest: "f".repeat(64),
  outcome: "replaced",
  outcomeDetail: `by revision ${revision + 1}`,
  restores: 0n,
  ...change,
});
const revisions = [
  entry(4, { outcome: "in-force", outcomeDetail: "", reason: "rollback to 1", restores: 1n }),
  entry(3, { outcome: "stopped", outcomeDetail: "web1 failed" }),
  entry(2),
  entry(1),
];
const meshFile = (revision: number) => [{ name: `mesh-${revision}.yaml`, text: `a: 1\nb: ${revision}\n` }];

describe("history", () => {
  it("shows what became of each, and one with what it changed since what was in force before it", async () => {
    const list = await weft(["history"], { history: { revisions } });
    expect(list.out).toMatch(/^3 .*stopped/m);
    const one = await weft(["history", "4", "--diff"], { history: { revisions }, meshFile });
    expect(one.out).toContain("outcome   in force\nfiles of  revision 1\nfiles     mesh-4.yaml");
    expect(one.out).toContain("changed from revision 2:\n--- a/mesh-2.yaml\n+++ b/mesh-4.yaml");
    expect(one.out).toContain("-b: 2\n+b: 4");
    const json = JSON.parse(
      (await weft(["history", "3", "--diff", "--json"], { history: { revisions }, meshFile })).out,
    );
    expect(json).toMatchObject({ revision: 3, outcome: "stopped", diffFrom: 2, restores: 0 });
    const newest = await weft(["history", "--diff"], { history: { revisions }, meshFile });
    expect(newest.out).toContain("revision  4");
  });

  it("knows no other revisions", async () => {
    const absent = await weft(["history", "9"], { history: { revisions }, meshFile });
    expect(absent.err).toContain("there is no revision 9");
    expect(absent.code).toBe(1);
    expect((await weft(["history", "x"], { history: { revisions } })).code).toBe(2);
  });
});

describe("rollback", () => {
  it("applies the files of that revision with the flags of an apply", async () => {
    const sent: unknown[] = [];
    const { code } = await weft(
      [
        "rollback",
        "2",
        "--reason",
        "too slow",
        "--at-once",
        "--confirm-timeout",
        "30",
        "--accept-risk",
        "GUARD-PORT",
      ],
      {
        meshFile,
        apply(request) {
          const { sources, reason, restores, atOnce, confirmTimeoutSeconds, acceptRisks } = request;
          sent.push({ text: sources[0]?.text, reason, restores, atOnce, confirmTimeoutSeconds, acceptRisks });
          return [accepted];
        },
      },
    );
    expect(code).toBe(0);
    expect(sent).toEqual([
      {
        text: "a: 1\nb: 2\n",
        reason: "rollback to 2: too slow",
        restores: 2n,
        atOnce: true,
        confirmTimeoutSeconds: 30,
        acceptRisks: ["GUARD-PORT"],
      },
    ]);
  });
});

describe("status", () => {
  const rollout: RolloutStatus = {
    revision: 5,
    base: 4,
    state: "running",
    wave: 2,
    waves: 4,
    nodes: 9,
    given: 3,
    waitingFor: ["api1"],
    absent: ["db1"],
    why: "",
    takenBackAs: 0,
  };

  it("says how far a rollout is, in words and as JSON", async () => {
    const status = () => [{ ...sampleFleet, rollout }];
    expect((await weft(["status"], { status })).out).toContain(
      "revision 5 is rolled out: wave 2 of 4, given to 3 of 9 nodes; waiting for api1; absent: db1; revision 4 holds elsewhere",
    );
    expect(JSON.parse((await weft(["status", "--json"], { status })).out).rollout).toEqual(rollout);
    expect(
      JSON.parse((await weft(["status", "--json"], { status: () => [sampleFleet] })).out).rollout,
    ).toBeNull();
  });

  it("and that the last one was stopped", async () => {
    const stopped = { ...rollout, state: "stopped", why: "api1\u001b[2J failed", takenBackAs: 6 } as const;
    const { out } = await weft(["status"], { status: () => [{ ...sampleFleet, rollout: stopped }] });
    expect(out).toMatch(
      /revision 5 was stopped: api1\S* failed; revision 6 has the files of revision 4 again/,
    );
    expect(out).not.toContain("\u001b[2J");
  });
});
