import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { PlanResponse } from "../../packages/shared/src/gen/weft/v1/control.ts";
import { AgentStream } from "../support/agent-stream.ts";
import { eventually } from "../support/eventually.ts";
import { meshText, TestCoordinator, unary } from "../support/test-coordinator.ts";

const guarded = meshText.replace("nodes:", "guard: { admin: [192.0.2.0/28], ports: [22/tcp] }\nnodes:");
const narrowed = guarded.replace("192.0.2.0/28], ports: [22/tcp]", "192.0.2.0/29], ports: []");

let coordinator: TestCoordinator;
beforeEach(async () => {
  coordinator = await TestCoordinator.start();
  await coordinator.apply(guarded);
});
afterEach(async () => {
  await coordinator.stop();
  expect(coordinator.errors).toEqual([]);
});

const planOf = (text: string) =>
  unary<PlanResponse>((done) =>
    coordinator.control().plan({ sources: [{ name: "mesh.yaml", text }], operator: undefined }, done),
  );
const history = () =>
  unary<{ revisions: { revision: bigint; reason: string }[] }>((done) =>
    coordinator.control().history({}, done),
  );

/** A member with rules of its own: what nobody has cannot be cut. */
async function member(): Promise<AgentStream> {
  const stream = new AgentStream(coordinator.agent(await coordinator.join("web1"))).hello();
  stream.enforce(await stream.first("desired"));
  await eventually("enforced", async () =>
    (await coordinator.status()).nodes.some(({ verdict }) => verdict === "ENFORCED"),
  );
  return stream;
}

describe("a change that cuts a guard flow", () => {
  it("is told by plan, and refused by apply until every code is named; refused, it changes nothing", async () => {
    const stream = await member();
    const found = (await planOf(narrowed)).risks;
    expect(found.map(({ code, nodes, file, line }) => [code, nodes, file, line])).toEqual([
      ["GUARD-ADMIN", ["web1"], "mesh.yaml", 4],
      ["GUARD-PORT", ["web1"], "mesh.yaml", 4],
    ]);
    for (const { acceptRisks, left } of [
      { acceptRisks: [], left: ["GUARD-ADMIN", "GUARD-PORT"] },
      { acceptRisks: ["GUARD-PORT", "GUARD-HUB"], left: ["GUARD-ADMIN"] },
    ]) {
      const [event, ...more] = await coordinator.apply(narrowed, { acceptRisks });
      expect(more).toEqual([]);
      if (event?.event?.$case !== "refused") throw new Error(`it was ${event?.event?.$case}`);
      expect(event.event.value.risks.map(({ code }) => code)).toEqual(left);
      expect(event.event.value.message).toContain(left.join(", "));
    }
    expect((await coordinator.status()).revision).toBe(1n);
    expect((await history()).revisions).toHaveLength(1);
    expect((await planOf(guarded)).nodes).toEqual([]);
    expect(stream.of("desired")).toHaveLength(1);

    const accepted = await coordinator.apply(narrowed, {
      acceptRisks: ["GUARD-PORT", "GUARD-ADMIN", "GUARD-HUB", "GUARD-PORT"],
    });
    const [said] = accepted;
    if (said?.event?.$case !== "accepted") throw new Error(`it was ${said?.event?.$case}`);
    expect(said.event.value.risks.map(({ code }) => code)).toEqual(["GUARD-ADMIN", "GUARD-PORT"]);
    expect(said.event.value.unneededRisks).toEqual(["GUARD-HUB"]);
    expect((await history()).revisions[0]).toMatchObject({
      revision: 2n,
      reason: "test (accepted risks: GUARD-ADMIN, GUARD-PORT)",
    });
    await eventually("the new rules", () => stream.of("desired")[1]);
    // what is cut already is not cut again
    expect((await coordinator.apply(narrowed))[0]?.event).toMatchObject({ $case: "accepted" });
  });

  it("is stopped by a guard flow that a kernel remembers, though the file alone cuts none", async () => {
    const stream = await member();
    const closed = `${guarded}baseline: { inbound: deny }\n`;
    expect((await planOf(closed)).risks).toEqual([]);
    const ssh = {
      kind: "seen",
      direction: "in",
      protocol: "tcp",
      port: 22,
      source: "198.51.100.9",
      destination: "",
      user: undefined,
      packets: 1n,
      lastSeen: new Date(),
      endpoint: undefined,
    };
    const more = {
      since: undefined,
      fullSets: [],
      leftOut: 0,
      memorySeconds: 60n,
      spent: [],
      endpoints: undefined,
    };
    const value = { ...more, witness: "kernel of web1", flows: [ssh], complete: true };
    stream.say({ $case: "observation", value });
    const remembered = await eventually("it is told", async () => {
      const plan = await planOf(closed);
      return plan.replay?.flips[0] === undefined ? undefined : plan;
    });
    expect(remembered.replay).toMatchObject({
      youngest: "web1",
      flips: [{ guard: true, becomes: "refused" }],
    });
    expect(remembered.risks).toMatchObject([
      { code: "FLIP-GUARD", nodes: ["web1"], text: expect.stringContaining("198.51.100.9 -> web1:22/tcp") },
    ]);
    const asked = stream.of("attention").length;
    expect((await coordinator.apply(closed))[0]?.event).toMatchObject({
      $case: "refused",
      value: { risks: [{ code: "FLIP-GUARD" }] },
    });
    // another code is no word about it
    expect((await coordinator.apply(closed, { acceptRisks: ["GUARD-PORT"] }))[0]?.event?.$case).toBe(
      "refused",
    );
    const [accepted] = await coordinator.apply(closed, { acceptRisks: ["FLIP-GUARD"] });
    expect(accepted?.event).toMatchObject({ $case: "accepted", value: { risks: [{ code: "FLIP-GUARD" }] } });
    // it decides on what it holds: nobody was asked
    expect(stream.of("attention")).toHaveLength(asked);
  });

  it("is none while nobody has joined; and a code that there is not is refused as such", async () => {
    expect((await planOf(narrowed)).risks).toEqual([]);
    await expect(coordinator.apply(narrowed, { acceptRisks: ["GUARD"] })).rejects.toThrow(/there is no risk/);
    expect((await coordinator.apply(narrowed))[0]?.event).toMatchObject({ $case: "accepted" });
  });
});
