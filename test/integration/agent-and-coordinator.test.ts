// The agent's own joining and link against the coordinator's own servers: the two halves that never import each other.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { Dialler } from "../../packages/node-agent/src/dial/dialler.ts";
import { readEnrolment } from "../../packages/node-agent/src/enrol/enrolment.ts";
import { join } from "../../packages/node-agent/src/enrol/join.ts";
import { reEnter } from "../../packages/node-agent/src/enrol/re-enter.ts";
import type { Host } from "../../packages/node-agent/src/host/host.ts";
import { LinuxClock } from "../../packages/node-agent/src/host/linux-clock.ts";
import { mintExchange, sayFarewell } from "../../packages/node-agent/src/link/exchange.ts";
import { Link, type LinkDuties } from "../../packages/node-agent/src/link/link.ts";
import { NodeIdentity } from "../../packages/node-agent/src/link/node-identity.ts";
import type { WhyResponse } from "../../packages/shared/src/gen/weft/v1/control.ts";
import type { DesiredState } from "../../packages/shared/src/model/desired.ts";
import type { KernelAnswer } from "../../packages/shared/src/model/observation.ts";
import { eventually } from "../support/eventually.ts";
import { FakeHost } from "../support/fake-host.ts";
import { factsOf, reportOf } from "../support/report.ts";
import { meshText, TestCoordinator } from "../support/test-coordinator.ts";

let coordinator: TestCoordinator;
let machine: FakeHost;
let host: Host;
let stop: AbortController;
let running: Promise<void>;
let link: Link;
let identity: NodeIdentity;
let given: DesiredState[];
let dismissed: string[];

beforeEach(async () => {
  coordinator = await TestCoordinator.start();
  await coordinator.apply(meshText);
  machine = new FakeHost();
  const { files, exec, units, sockets } = machine;
  host = { files, exec, units, sockets, clock: new LinuxClock() };
  stop = new AbortController();
  running = Promise.resolve();
  given = [];
  dismissed = [];
});
afterEach(async () => {
  stop.abort();
  await running;
  await coordinator.stop();
  machine.dispose();
  expect(coordinator.errors).toEqual([]);
});

const passes: KernelAnswer = {
  id: 0,
  witness: "kernel of web1",
  verdict: "accept",
  ownVerdict: "accept",
  decidedBy: "policy",
  policy: "web-to-api",
  file: "mesh.yaml",
  line: 0,
  strength: "address+uid",
  whyUnknown: "",
  trace: [],
  assumed: [],
  others: [],
  revision: 1,
  digest: "",
  uid: 998,
  listeners: [{ address: "0.0.0.0", uid: 998, user: "web" }],
  audited: false,
  endpoints: [],
};

const joinAs = (token: Promise<string>, pin = coordinator.pin) =>
  join(
    host,
    {
      coordinator: { address: "127.0.0.1", port: coordinator.daemon.enrolmentPort },
      pin,
      token: () => token,
      agentVersion: "0.1.0",
      bootId: "boot",
    },
    () => {},
  );

async function connect(duties: Partial<LinkDuties> = {}): Promise<void> {
  const loaded = await NodeIdentity.load(host, "boot");
  if (loaded === undefined) throw new Error("not enrolled");
  identity = loaded;
  const newest = () => given.at(-1);
  link = new Link({
    identity,
    clock: host.clock,
    random: () => 0,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    version: "0.1.0",
    bootId: "boot",
    held: () => ({ generation: newest()?.generation ?? 0, digest: newest()?.digest ?? "" }),
    facts: async () => factsOf(),
    onDesired: (state) => void given.push(state),
    onBundle: () => {},
    onUnreadable: () => {},
    onState: () => {},
    onAttention: () => {},
    answer: async ({ id }) => ({ id, problem: "no kernel here" }),
    dial: async ({ id }) => ({ id, problem: "no connection here" }),
    onDismissed: (reason) => void dismissed.push(reason),
    ...duties,
  });
  running = link.run(stop.signal);
}

const row = async () => (await coordinator.status()).nodes.find(({ name }) => name === "web1");

function enforce(state: DesiredState): void {
  const { generation, digest, revision } = state;
  const done = { phase: "enforced", enforcedDigest: digest, enforcedRevision: revision } as const;
  link.sendReport(
    reportOf({ generation, digest, ...done, enforcedAt: new Date(), witness: "kernel of web1" }),
  );
}

describe("an agent and its coordinator", () => {
  it("join, hand over the state, report it enforced, and part", async () => {
    expect((await joinAs(coordinator.token("web1"))).kind).toBe("joined");
    await connect();
    const state = await eventually("the state", () => given[0]);
    enforce(state);
    await eventually("enforced", async () => (await row())?.verdict === "ENFORCED");
    await eventually("facts", async () => (await row())?.facts?.kernel === "6.1.0");
    expect(await row()).toMatchObject({ state: "Online", enforcedRevision: 1n, agentVersion: "0.1.0" });

    const client = link.client!;
    const roots = coordinator.spire.roots;
    const ask = { trustDomain: "mesh.internal", node: "web1", roots, now: new Date() };
    const exchange = await mintExchange(client, ask, stop.signal);
    expect(exchange.chainPem).toContain("BEGIN CERTIFICATE");
    await sayFarewell(client, stop.signal);
    await eventually("absent", async () => (await row())?.state === "Absent");
    expect(coordinator.spire.entries.size).toBe(0);
  });

  it("refuse a wrong pin, and a token that is wrong, each with one sentence", async () => {
    const pin = `sha256:${"0".repeat(64)}`;
    await expect(joinAs(coordinator.token("web1"), pin)).rejects.toMatchObject({ code: "WEFT-E200" });
    await expect(joinAs(Promise.resolve(`web1.${"A".repeat(32)}`))).rejects.toMatchObject({
      code: "WEFT-E201",
      message: "this join token is not known here",
    });
  });

  it("find each other again after the coordinator was away, and only what changed is sent", async () => {
    await joinAs(coordinator.token("web1"));
    await connect();
    await eventually("the state", () => given.length === 1);
    await coordinator.daemon.stop();
    await coordinator.start();
    await eventually("connected again", async () => (await row())?.facts !== undefined, 10_000);
    await coordinator.apply(meshText.replace("8080/tcp", "8081/tcp"));
    await eventually("the next state", () => given.length === 2);
    expect(given.map(({ generation }) => generation)).toEqual([1, 2]);
  });

  it("prove a connection: asked for over the stream, made by the node's own rules, told beside the verdict", async () => {
    await joinAs(coordinator.token("web1"));
    const dialler = new Dialler({
      exec: host.exec,
      clock: host.clock,
      program: { runtime: "node", script: "dial" },
      content: async () => given.at(-1),
      dial: async () => ({ outcome: "refused", errno: "ECONNREFUSED" }),
    });
    machine.exec.programs.set("getent", () => ({ stdout: "web:x:998:998::/:/bin/sh\n" }));
    machine.exec.programs.set("systemd-run", () => ({ stdout: "accepted\n" }));
    await connect({
      answer: async ({ id }) => ({ ...passes, id }),
      dial: (question) => dialler.answer(question),
    });
    await eventually("the state", () => given[0]);
    const why = (from: string, port: string, prove: boolean) =>
      new Promise<WhyResponse>((resolve, reject) =>
        coordinator
          .control()
          .why({ from, to: "web", port, via: "", prove }, (error, answer) =>
            error ? reject(error) : resolve(answer),
          ),
      );
    expect((await why("web", "http", true)).paths).toMatchObject([
      { verdict: "allowed", proof: { node: "web1", user: "web", outcome: "accepted", agreement: "agrees" } },
    ]);
    // root dials from the agent itself; somebody listens, so a reset is no agreement
    expect((await why("web1", "http", true)).paths).toMatchObject([
      { verdict: "allowed", proof: { user: "root", errno: "ECONNREFUSED", agreement: "disagrees" } },
    ]);
    expect((await why("web", "22", true)).paths).toMatchObject([
      { proof: { outcome: "not-tried", agreement: "open" } },
    ]);
    const before = machine.exec.calls.length;
    expect((await why("web", "http", false)).paths[0]?.proof).toBeUndefined();
    expect(machine.exec.calls).toHaveLength(before);
  });

  it("probe what an apply has turned, once it is in force: by the same question, and only if it was asked for", async () => {
    await joinAs(coordinator.token("web1"));
    const dialled: string[] = [];
    await connect({
      onDesired(state) {
        given.push(state);
        enforce(state);
      },
      answer: async ({ id }) => ({ ...passes, id }),
      async dial({ id, user, destination, port }) {
        dialled.push(`${user} ${destination}:${port}`);
        return { id, at: new Date(), outcome: "accepted", errno: "" };
      },
    });
    await eventually("enforced", async () => (await row())?.verdict === "ENFORCED");
    const side = "  side: { nodes: [web1], user: side, ports: { http: 8090/tcp } }\n";
    const wider = `${meshText.replace("policies:\n", `${side}policies:\n`)}  - { name: to-side, from: [web], to: side }\n`;
    const apply = async (text: string, probe: boolean) =>
      (await coordinator.apply(text, { wait: true, probe })).flatMap(({ event }) => event ?? []);
    const steps = await apply(wider, true);
    expect(steps.slice(-4)).toMatchObject([
      { $case: "done", value: { complete: true } },
      { $case: "probing", value: { basis: "turned", flows: 2, leftOut: 0, revisionBefore: 1n } },
      { value: { from: "web", to: "side", port: 8090, rules: "allowed", result: "agrees" } },
      // undeclared, its port was open so far
      {
        value: {
          from: "api",
          meant: "refused",
          result: "not-proved",
          note: expect.stringContaining("connected"),
        },
      },
    ]);
    expect(dialled).toEqual(["web 10.77.0.11:8090"]);
    // this kernel still lets it pass
    const closed = await apply(wider.replace(/^.*to-side.*\n/m, ""), true);
    expect(closed.slice(-2)).toMatchObject([
      { $case: "probing", value: { basis: "turned", flows: 1, revisionBefore: 2n } },
      { value: { from: "web", to: "side", meant: "refused", rules: "allowed", result: "disagrees" } },
    ]);
    expect((await apply(meshText, false)).at(-1)).toMatchObject({ $case: "done", value: { complete: true } });
    expect(dialled).toHaveLength(2);
  }, 30_000);

  it("let a machine come back whose certificate has run out, and not after its removal", async () => {
    await joinAs(coordinator.token("web1"));
    const held = (await readEnrolment(host.files))!;
    const back = await reEnter(host, held, "boot");
    expect(back.enrolment.enrolmentGeneration).toBe(2);
    await connect();
    await eventually("the state", () => given.length === 1);
    const without = meshText
      .replace(/^ {2}web1.*\n/m, "")
      .replace(/^ {2}web:.*\n/m, "")
      .replace(/^policies:\n.*\n/m, "");
    await coordinator.apply(without, { acceptRisks: ["GUARD-NODE"] });
    await new Promise((resolve, reject) =>
      coordinator
        .control()
        .removeNode({ name: "web1" }, (error, answer) => (error ? reject(error) : resolve(answer))),
    );
    await eventually("the dismissal", () => dismissed.includes("removed"));
    await expect(reEnter(host, back.enrolment, "boot")).rejects.toMatchObject({
      code: "WEFT-E204",
      message: "the node web1 is removed",
    });
  });
});
