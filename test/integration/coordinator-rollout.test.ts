// Rollouts as agents and operators see them: a real coordinator, real streams, agents that answer for their kernels.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { ApplyEvent, FleetStatus } from "../../packages/shared/src/gen/weft/v1/control.ts";
import type { DesiredState } from "../../packages/shared/src/gen/weft/v1/desired.ts";
import type { HistoryResponse } from "../../packages/shared/src/gen/weft/v1/rollout.ts";
import { AgentStream } from "../support/agent-stream.ts";
import { eventually } from "../support/eventually.ts";
import { type JoinedNode, TestCoordinator, unary } from "../support/test-coordinator.ts";

const names = ["api1", "web1", "web2"];
const mesh = (port: number, rollout = "") => `weft: v1
mesh: shop
trustDomain: mesh.internal
${rollout}
nodes:
  hub: { address: 10.77.0.10 }
  api1: { address: 10.77.0.12 }
  web1: { address: 10.77.0.11 }
  web2: { address: 10.77.0.13 }
services:
  api: { nodes: [api1], user: api, ports: { http: ${port}/tcp } }
`;
const inWaves = "rollout: { canary: [web1], wave: 1 }";

let coordinator: TestCoordinator;
let agents: Map<string, Agent>;

/** One whose kernel does at once whatever it is told, unless it refuses. */
class Agent {
  readonly stream: AgentStream;
  refuses = false;
  #seen = 0;
  readonly node: JoinedNode;
  constructor(node: JoinedNode, held?: DesiredState) {
    this.node = node;
    this.stream = new AgentStream(coordinator.agent(node)).hello(
      held === undefined ? {} : { generation: held.generation, digest: held.digest, bundleSequence: 1n },
    );
    this.stream.call.on("data", () => this.#answer());
  }
  /** In the order in which they came. */
  get given(): DesiredState[] {
    return this.stream.of("desired");
  }
  get newest(): DesiredState {
    return this.given.at(-1)!;
  }
  #answer(): void {
    for (const state of this.given.slice(this.#seen)) {
      this.#seen += 1;
      if (!this.refuses || state.policy!.services.length + state.policy!.mesh.length === 0)
        this.stream.enforce(state);
      else this.revert(state);
    }
  }
  revert(state: DesiredState): void {
    const { generation, digest } = state;
    this.stream.report({
      generation: Number(generation),
      digest,
      phase: "reverted",
      enforcedDigest: this.given.at(-2)?.digest ?? "",
      conditions: [
        { code: "POLICY_REVERTED", detail: "guard port 22 is reached no more", since: new Date() },
      ],
    });
    // Only once: what comes next is its old content.
    this.refuses = false;
  }
  async leave(): Promise<void> {
    this.stream.call.end();
    await this.stream.end();
  }
}

const revisionsOf = (name: string) => agents.get(name)!.given.map(({ revision }) => Number(revision));
const told = (events: ApplyEvent[]) => events.map(({ event }) => event?.$case);
const detailsOf = <K extends string>(events: ApplyEvent[], kind: K) =>
  events.find(({ event }) => event?.$case === kind)?.event?.value as never as Record<string, unknown>;
const history = async () =>
  (await unary<HistoryResponse>((done) => coordinator.control().history({}, done))).revisions.map(
    ({ revision, outcome, outcomeDetail }) => `${revision} ${outcome} ${outcomeDetail}`.trim(),
  );
const rollout = async (): Promise<FleetStatus["rollout"]> => (await coordinator.status()).rollout;
const carried = async () =>
  Object.fromEntries(
    (await coordinator.status()).nodes
      .filter(({ name }) => names.includes(name))
      .map(({ name, verdict, enforcedRevision }) => [name, `${verdict} ${enforcedRevision}`]),
  );

beforeEach(async () => {
  coordinator = await TestCoordinator.start();
  await coordinator.apply(mesh(8080));
  agents = new Map();
  for (const name of names) agents.set(name, new Agent(await coordinator.join(name)));
  await eventually("all enforced", async () =>
    Object.values(await carried()).every((text) => text === "ENFORCED 1"),
  );
});
afterEach(async () => {
  await coordinator.stop();
  expect(coordinator.errors).toEqual([]);
});

describe("a rollout", () => {
  it("is told wave by wave to the one who waits", async () => {
    const events = await coordinator.apply(mesh(8081, inWaves), { wait: true });
    expect(events.flatMap(({ event }) => (event?.$case === "wave" ? [event.value.nodes] : []))).toEqual([
      ["web1"],
      ["api1"],
      ["web2"],
      ["hub"],
    ]);
    expect(told(events).filter((kind) => kind === "node")).toHaveLength(3);
    const done = detailsOf(events, "done");
    // The hub never joined.
    expect(done).toMatchObject({ complete: false, missing: ["hub"], absent: ["hub"], outcome: "in-force" });
    expect(done["times"]).toMatchObject({ p50Ms: expect.any(Number) });
    expect(await carried()).toEqual({ api1: "ENFORCED 2", web1: "ENFORCED 2", web2: "ENFORCED 2" });
    expect(await history()).toEqual(["2 in-force", "1 replaced by revision 2"]);
  });

  it("that the canary undoes never comes to the others, and is taken back with the flags of the apply", async () => {
    agents.get("web1")!.refuses = true;
    const events = await coordinator.apply(mesh(8081, inWaves), {
      wait: true,
      confirmTimeoutSeconds: 33,
      keepEstablished: true,
    });
    expect(told(events)).toEqual(["accepted", "wave", "stopped", "node", "done"]);
    expect(detailsOf(events, "stopped")).toMatchObject({
      why: "web1 REVERTED: guard port 22 is reached no more",
      takenBackAs: 3n,
      nodes: ["web1"],
    });
    expect(detailsOf(events, "done")).toMatchObject({ complete: false, missing: [], outcome: "stopped" });
    expect(["api1", "web2"].map(revisionsOf)).toEqual([[1], [1]]);
    const web1 = agents.get("web1")!;
    expect(web1.given.map(({ revision, generation }) => [revision, generation])).toEqual([
      [1n, 1n],
      [2n, 2n],
      [3n, 3n],
    ]);
    expect(web1.newest.digest).toBe(web1.given[0]!.digest);
    expect(web1.newest).toMatchObject({ confirmTimeoutSeconds: 33, keepEstablished: true });
    expect(await carried()).toEqual({ api1: "ENFORCED 1", web1: "ENFORCED 3", web2: "ENFORCED 1" });
    expect(await rollout()).toMatchObject({ state: "stopped", revision: 2n, base: 1n, takenBackAs: 3n });
    expect(await history()).toEqual([
      "3 in-force",
      "2 stopped web1 REVERTED: guard port 22 is reached no more; taken back as revision 3",
      "1 replaced in force again as revision 3",
    ]);
    const again = await coordinator.apply(mesh(8081, inWaves), { restores: 2n });
    expect(detailsOf(again, "refused")["message"]).toContain("revision 2 was stopped");
  });

  it("goes on after the coordinator was stopped in the middle of it", async () => {
    const web1 = agents.get("web1")!;
    const held = web1.newest;
    await web1.leave();
    // It is given the change when it is back: until then it is the wave that is waited for.
    const silent = new AgentStream(coordinator.agent(web1.node)).hello({
      generation: held.generation,
      digest: held.digest,
      bundleSequence: 1n,
    });
    await silent.first("welcome");
    await coordinator.apply(mesh(8081, inWaves));
    const state = await silent.first("desired");
    expect(state.revision).toBe(2n);
    expect(await rollout()).toMatchObject({ state: "running", wave: 1, waves: 4, waitingFor: ["web1"] });
    await coordinator.daemon.stop();
    await coordinator.start();
    expect(await rollout()).toMatchObject({ state: "running", revision: 2n, wave: 1 });
    for (const name of ["api1", "web2"]) {
      const { node, newest } = agents.get(name)!;
      agents.set(name, new Agent(node, newest));
    }
    agents.set("web1", new Agent(web1.node, held));
    await eventually("all carry revision 2", async () =>
      Object.values(await carried()).every((text) => text === "ENFORCED 2"),
    );
    await eventually("the end", async () => (await rollout()) === undefined);
  });

  it("gives way to a newer apply, and a node that was away never hears of what was stopped", async () => {
    const { node, newest } = agents.get("web2")!;
    await agents.get("web2")!.leave();
    agents.get("web1")!.refuses = true;
    await coordinator.apply(mesh(8081, inWaves), { wait: true });
    agents.set("web2", new Agent(node, newest));
    await agents.get("web2")!.stream.first("welcome");
    await coordinator.apply(mesh(8082));
    await eventually("all carry revision 4", async () =>
      Object.values(await carried()).every((text) => text === "ENFORCED 4"),
    );
    expect(revisionsOf("web2")).toEqual([4]);
  });

  it("is rolled back as a new revision, with the files checked", async () => {
    await coordinator.apply(mesh(8081), { wait: true });
    const events = await coordinator.apply(mesh(8080), { restores: 1n, wait: true });
    expect(detailsOf(events, "accepted")).toMatchObject({ revision: 3n, unchanged: false });
    expect(await history()).toEqual([
      "3 in-force",
      "2 rolled-back to revision 1, as revision 3",
      "1 replaced by revision 2",
    ]);
    const wrong = await coordinator.apply(mesh(8085), { restores: 1n });
    expect(detailsOf(wrong, "refused")["message"]).toBe("these are not the files of revision 1");
    await expect(coordinator.apply(mesh(8080), { restores: 9n })).rejects.toMatchObject({
      details: /no revision 9/,
    });
  });
});
