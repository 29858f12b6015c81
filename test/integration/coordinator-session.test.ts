import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { AgentStream } from "../support/agent-stream.ts";
import { eventually } from "../support/eventually.ts";
import { meshText, TestCoordinator } from "../support/test-coordinator.ts";

let coordinator: TestCoordinator;
beforeEach(async () => {
  coordinator = await TestCoordinator.start();
  await coordinator.apply(meshText);
});
afterEach(async () => {
  await coordinator.stop();
  expect(coordinator.errors).toEqual([]);
});

describe("an agent's session", () => {
  it("goes from joining to enforced, and the apply that waits for it ends", async () => {
    const node = await coordinator.join("web1");
    const stream = new AgentStream(coordinator.agent(node)).hello();
    const welcome = await stream.first("welcome");
    expect(welcome.heartbeatSeconds).toBe(5);
    expect((await stream.first("bundle")).bundle.length).toBeGreaterThan(0);
    const desired = await stream.first("desired");
    expect(desired).toMatchObject({ node: "web1", generation: 1n, revision: 1n });

    expect((await coordinator.status()).nodes.map(({ name, state }) => [name, state])).toEqual([
      ["api1", "Absent"],
      ["hub", "Absent"],
      ["web1", "Joining"],
    ]);
    stream.enforce(desired);
    const row = await eventually("web1 enforced", async () =>
      (await coordinator.status()).nodes.find(({ verdict }) => verdict === "ENFORCED"),
    );
    expect(row).toMatchObject({ name: "web1", state: "Online", wantedRevision: 1n, enforcedRevision: 1n });

    const edited = meshText.replace("ports: [http]", "ports: [http], action: deny");
    const applying = coordinator.apply(edited, { wait: true });
    const next = await eventually("the next state", () => stream.of("desired")[1]);
    expect(next).toMatchObject({ generation: 2n, revision: 2n });
    stream.enforce(next);
    const events = await applying;
    expect(events.map(({ event }) => event?.$case)).toEqual(["accepted", "node", "done"]);
    expect(events[0]?.event?.value).toMatchObject({ revision: 2n, nodes: ["web1"], unchanged: false });
    expect(events[2]?.event?.value).toMatchObject({ complete: true, missing: [] });
  });

  it("is sent nothing when it holds what is wanted, and only what changed when it returns", async () => {
    const node = await coordinator.join("web1");
    const first = new AgentStream(coordinator.agent(node)).hello();
    const desired = await first.first("desired");
    const bundle = await coordinator.status();
    expect(bundle.revision).toBe(1n);
    first.call.end();
    await first.end();
    const again = new AgentStream(coordinator.agent(node)).hello({
      generation: desired.generation,
      digest: desired.digest,
      bundleSequence: 1n,
    });
    await again.first("welcome");
    again.report({});
    await eventually("the report", async () =>
      (await coordinator.status()).nodes.some(({ report }) => report !== undefined),
    );
    expect(again.came.map(({ $case }) => $case)).toEqual(["welcome"]);
  });

  it("is raised above a generation the coordinator has no memory of", async () => {
    const node = await coordinator.join("web1");
    const stream = new AgentStream(coordinator.agent(node)).hello({
      generation: 40n,
      digest: "f".repeat(64),
    });
    expect((await stream.first("desired")).generation).toBe(41n);
  });

  it("is replaced by a newer one of the same node", async () => {
    const node = await coordinator.join("web1");
    const older = new AgentStream(coordinator.agent(node)).hello();
    await older.first("welcome");
    const newer = new AgentStream(coordinator.agent(node)).hello();
    expect((await older.first("dismissal")).reason).toBe("replaced");
    expect((await older.end())?.code).toBe(status.PERMISSION_DENIED);
    newer.report({});
    const row = await eventually("its report", async () =>
      (await coordinator.status()).nodes.find(({ report }) => report !== undefined),
    );
    expect(row.state).toBe("Joining");
  });

  it("gets only the newest state when it reads slowly", async () => {
    const node = await coordinator.join("web1");
    const client = coordinator.agent(node, { "grpc-node.flow_control_window": 65_535 });
    const stream = new AgentStream(client).hello();
    await stream.first("desired");
    stream.call.pause();
    // Some 15 KiB each: far more in all than the window of the stream holds.
    const comment = "x".repeat(60);
    const edits = 60;
    for (let edit = 1; edit <= edits; edit++) {
      const sources = Array.from({ length: 100 }, (_, index) => `{ cidr: 198.51.100.${index}/32 }`);
      const policy = `  - { name: many-${edit}-${comment.slice(0, 40)}, from: [${sources.join(", ")}], to: web, ports: [http] }\n`;
      await coordinator.apply(meshText + policy);
    }
    stream.call.resume();
    const newest = await eventually("the newest state", () =>
      stream.of("desired").find(({ revision }) => revision === BigInt(edits + 1)),
    );
    expect(newest.generation).toBe(BigInt(edits + 1));
    expect(stream.of("desired").length).toBeLessThan(edits / 2);
  }, 60_000);

  it("must begin with hello, and say it once", async () => {
    const node = await coordinator.join("web1");
    const rude = new AgentStream(coordinator.agent(node));
    rude.report({});
    expect((await rude.end())?.code).toBe(status.INVALID_ARGUMENT);
    const twice = new AgentStream(coordinator.agent(node)).hello().hello();
    expect((await twice.end())?.details).toContain("hello comes once");
  });

  it("ends with its certificate", async () => {
    await coordinator.join("web1");
    const short = coordinator.identity("spiffe://mesh.internal/weft/node/web1", {
      notBefore: new Date(),
      notAfter: new Date(Math.floor(Date.now() / 1000) * 1000 + 3000),
    });
    const stream = new AgentStream(coordinator.agent(short)).hello();
    await stream.first("welcome");
    expect((await stream.end())?.details).toContain("has expired");
  });

  it("is told of a removal, and cannot come back", async () => {
    const node = await coordinator.join("web1");
    const stream = new AgentStream(coordinator.agent(node)).hello();
    await stream.first("desired");
    await coordinator.apply(
      meshText
        .replace(/^ {2}web1.*\n/m, "")
        .replace(/^ {2}web:.*\n/m, "")
        .replace(/^policies:\n.*\n/m, ""),
      { acceptRisks: ["GUARD-NODE"] },
    );
    const client = coordinator.control();
    const done = await new Promise<string[]>((resolve, reject) =>
      client.removeNode({ name: "web1" }, (error, answer) => (error ? reject(error) : resolve(answer.done))),
    );
    expect(done.join("; ")).toContain("its connection was ended");
    expect((await stream.first("dismissal")).reason).toBe("removed");
    await stream.end();
    const again = new AgentStream(coordinator.agent(node)).hello();
    expect((await again.first("dismissal")).reason).toBe("removed");
    expect((await again.end())?.details).toContain("the node web1 is removed");
    expect([...coordinator.spire.entries.keys()]).not.toContain("weft.web1.web");
  });
});
