// `weft apply --wait --probe`: what is asked, what is said of each probe, and how the command ends, over a real control
// socket.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import type { ApplyRequest } from "@weft/shared/gen/weft/v1/control";
import type { ApplyProbe, ApplyProbing, Proof } from "@weft/shared/gen/weft/v1/probe";
import { capturedTerminal } from "../../../../test/support/captured-terminal.ts";
import { type ControlAnswers, startFakeControlServer } from "../../../../test/support/fake-control-server.ts";
import { after } from "../../../../test/support/fleet-sample.ts";
import { loadMesh } from "../mesh/validate.ts";
import { linuxMachine } from "../setup/linux-machine.ts";
import { connectSpireServer } from "../spire/spire-client.ts";
import { connectControl } from "./control-client.ts";
import { readMeshSources } from "./mesh-sources.ts";
import { runCli } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-apply-"));
const file = join(folder, "mesh.yaml");
writeFileSync(file, "weft: v1\n");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Answer = ReturnType<NonNullable<ControlAnswers["apply"]>>;

async function apply(flags: readonly string[], steps: Answer, hangs = false) {
  const asked: ApplyRequest[] = [];
  const server = await startFakeControlServer({
    apply(request) {
      asked.push(request);
      return steps;
    },
    applyHangs: hangs,
  });
  const terminal = capturedTerminal();
  const stop = new AbortController();
  if (hangs) setTimeout(() => stop.abort(), 300);
  try {
    const code = await runCli(["apply", file, ...flags, "--socket", server.socketPath], {
      terminal,
      signal: stop.signal,
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
    return { code, out: terminal.outLines, err: terminal.errLines, asked };
  } finally {
    server.stop();
  }
}

const accepted: Answer[number] = {
  $case: "accepted",
  value: { revision: 5n, nodes: ["api1", "web1"], unchanged: false },
};
const done = (complete: boolean): Answer[number] => ({
  $case: "done",
  value: { complete, missing: complete ? [] : ["web1"], outcome: "in-force" },
});
const probing = (change: Partial<ApplyProbing>): Answer[number] => ({
  $case: "probing",
  value: { basis: "turned", flows: 1, leftOut: 0, partly: false, revisionBefore: 4n, notMade: "", ...change },
});
const proof: Proof = {
  at: after(1),
  node: "web1",
  user: "web",
  outcome: "accepted",
  errno: "",
  agreement: "agrees",
  sentence: "a connection of user web on web1 to 10.77.0.12:8080 at TIME was accepted",
  note: "agrees with the rules",
};
const agreeing: ApplyProbe = {
  from: "web",
  fromNode: "web1",
  to: "api",
  toNode: "api1",
  portName: "http",
  port: 8080,
  meant: "allowed",
  rules: "allowed",
  result: "agrees",
  note: "agrees with the rules",
  proof,
};
const refused: ApplyProbe = {
  ...agreeing,
  meant: "refused",
  rules: "refused",
  proof: { ...proof, outcome: "unanswered" },
};
const disagreeing: ApplyProbe = {
  ...agreeing,
  result: "disagrees",
  note: "the rules let it through, and nothing came back: a firewall between",
  proof: { ...proof, outcome: "unanswered", agreement: "disagrees" },
};
const unproved: ApplyProbe = {
  ...agreeing,
  rules: "unknown",
  result: "not-proved",
  note: "web1 made no connection: it is not connected",
  proof: { ...proof, at: undefined, outcome: "not-tried", agreement: "open" },
};
const probe = (value: ApplyProbe): Answer[number] => ({ $case: "probe", value });
const flags = ["--wait", "--probe"];
const upTo = (...steps: Answer): Answer => [accepted, done(true), ...steps];

describe("weft apply --wait --probe", () => {
  it("asks for probes only when told to, and never without --wait", async () => {
    expect((await apply(flags, upTo(probing({ flows: 0 })))).asked).toMatchObject([
      { wait: true, probe: true },
    ]);
    const without = await apply(["--wait"], [accepted, done(true)]);
    expect(without.asked).toMatchObject([{ probe: false }]);
    expect(without.out.join("\n")).not.toContain("prob");
    const { code, err, asked } = await apply(["--probe"], []);
    expect(code).toBe(2);
    expect(asked).toEqual([]);
    expect(err.join(" ")).toMatch(/--probe needs --wait.*Do: add --wait; or prove one flow/s);
  });

  it("says what was probed and what came of it, and ends well when nothing disagrees", async () => {
    const { code, out, err } = await apply(
      flags,
      upTo(probing({ flows: 3, leftOut: 2 }), probe(agreeing), probe(refused), probe(unproved)),
    );
    expect(out.slice(1)).toEqual([
      "revision 5 is in force everywhere",
      "probing 3 TCP flows between services that the change turns; 2 more left out",
      "probe: web -> api http 8080/tcp: allowed by the rules, accepted; agrees",
      "probe: web -> api http 8080/tcp: refused by the rules, unanswered; agrees",
      "probe: web -> api http 8080/tcp: not proved: web1 made no connection: it is not connected",
      "probe: 2 agree, 0 DISAGREE, 1 not proved",
    ]);
    expect(err).toEqual([]);
    expect(code).toBe(0);
  });

  it("1: one disagrees; it says what to do, and that nothing was taken back", async () => {
    const { code, out, err } = await apply(flags, upTo(probing({}), probe(disagreeing)));
    expect(out.slice(-2)).toEqual([
      "probe: web -> api http 8080/tcp: allowed by the rules, unanswered; DISAGREES (web1 -> api1): " +
        "the rules let it through, and nothing came back: a firewall between",
      "probe: 0 agree, 1 DISAGREE, 0 not proved",
    ]);
    expect(err).toEqual([
      "the change is in force, and nothing was taken back",
      "  Do: `weft why web api 8080 --prove` looks again; `weft rollback 4` takes the change back",
    ]);
    expect(code).toBe(1);
    const first = await apply(flags, upTo(probing({ revisionBefore: 0n }), probe(disagreeing)));
    expect(first.err.at(-1)).toBe("  Do: `weft why web api 8080 --prove` looks again");
  });

  it("says that the change turned nothing, that nothing was before, or that the mesh allows nothing", async () => {
    const head = async (change: Partial<ApplyProbing>) =>
      (await apply(flags, upTo(probing(change), ...(change.flows === 0 ? [] : [probe(agreeing)])))).out[2];
    expect(await head({ basis: "none-turned" })).toBe(
      "the change turns no TCP flow between services: probing 1 that the mesh allows, one for each policy",
    );
    expect(await head({ basis: "first", partly: true })).toBe(
      "there was no mesh before: probing 1 that the mesh allows, one for each policy; " +
        "the mesh is too large to compare every pair of instances",
    );
    expect(await head({ basis: "first", flows: 0 })).toBe(
      "there was no mesh before: nothing is probed, the mesh allows none",
    );
  });

  it("probes nothing that did not come into force, and says so; the exit code is that of the apply", async () => {
    const { code, err } = await apply(flags, [accepted, done(false)]);
    expect(err).toContain("no probe was made: revision 5 is not in force everywhere");
    expect(code).toBe(5);
    const overtaken = await apply(
      flags,
      upTo(probing({ flows: 0, notMade: "a newer revision took its place" })),
    );
    expect(overtaken.err).toEqual(["no probe was made: a newer revision took its place"]);
    expect(overtaken.code).toBe(0);
  });

  it("does not take a silent end for an answer, and says what holds when it is interrupted", async () => {
    for (const steps of [upTo(), upTo(probing({ flows: 2 }), probe(agreeing))]) {
      const { code, err } = await apply(flags, steps);
      expect(err.join("\n")).toContain("the coordinator ended the answer early");
      expect(code).toBe(1);
    }
    const stopped = await apply(flags, upTo(probing({ flows: 2 }), probe(agreeing)), true);
    expect(stopped.err.join("\n")).toContain(
      "revision 5 is in force everywhere; `weft why FROM TO PORT --prove`",
    );
    expect(stopped.code).toBe(5);
  });

  it("is JSON of one shape: null when it was not asked for", async () => {
    const json = async (flags: readonly string[], steps: Answer) => {
      const { code, out } = await apply([...flags, "--json"], steps);
      return {
        code,
        ...(JSON.parse(out.join("\n")) as { done: boolean; events: unknown[]; probe: unknown }),
      };
    };
    const told = await json(
      flags,
      upTo(probing({ flows: 2, leftOut: 1 }), probe(disagreeing), probe(unproved)),
    );
    expect(told).toMatchObject({ code: 1, done: true });
    expect(told.events).toHaveLength(2);
    expect(told.probe).toEqual({
      notMade: null,
      basis: "turned",
      leftOut: 1,
      partly: false,
      revisionBefore: 4,
      agree: 0,
      disagree: 1,
      notProved: 1,
      flows: [
        {
          ...disagreeing,
          proof: expect.objectContaining({
            outcome: "unanswered",
            agrees: false,
            at: after(1).toISOString(),
          }),
        },
        { ...unproved, proof: expect.objectContaining({ at: null, agrees: null }) },
      ],
    });
    expect((await json(["--wait"], [accepted, done(true)])).probe).toBeNull();
    const failed = await json(flags, [accepted, done(false)]);
    expect(failed).toMatchObject({
      code: 5,
      done: false,
      probe: { notMade: "revision 5 is not in force everywhere", basis: null, flows: [] },
    });
    const rejected: Answer[number] = { $case: "refused", value: { problems: [], message: "no" } };
    expect((await json(flags, [rejected])).probe).toMatchObject({ notMade: "nothing was changed" });
  });
});
