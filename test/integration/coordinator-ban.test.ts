import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { BanNodeRequest, BanNodeResponse } from "../../packages/shared/src/gen/weft/v1/guard.ts";
import { TrustBundle } from "../../packages/shared/src/gen/weft/v1/trust.ts";
import { AgentStream } from "../support/agent-stream.ts";
import { eventually } from "../support/eventually.ts";
import { type JoinedNode, meshText, TestCoordinator, unary } from "../support/test-coordinator.ts";

let coordinator: TestCoordinator;
beforeEach(async () => {
  coordinator = await TestCoordinator.start();
  await coordinator.apply(meshText.replace("nodes:", "guard: { admin: [10.77.0.0/24, 10.77.0.11] }\nnodes:"));
});
afterEach(async () => {
  await coordinator.stop();
  expect(coordinator.errors).toEqual([]);
});

const order = (name: string, addresses: string[] = []): BanNodeRequest => ({
  name,
  addresses,
  reason: "stolen",
  claimedBy: "ada",
  timeoutSeconds: 2,
});
const ban = (name: string, addresses: string[] = []) =>
  unary<BanNodeResponse>((done) => coordinator.control().banNode(order(name, addresses), done));
const unban = (name: string) =>
  unary<BanNodeResponse>((done) => coordinator.control().unbanNode(order(name), done));
const stateOf = async (name: string) =>
  (await coordinator.status()).nodes.find((node) => node.name === name)?.state;

async function enforcing(node: JoinedNode): Promise<AgentStream> {
  const stream = new AgentStream(coordinator.agent(node)).hello();
  stream.enforce(await stream.first("desired"));
  await eventually("enforced", async () =>
    (await coordinator.status()).nodes.some(
      ({ name, verdict }) => name === node.name && verdict === "ENFORCED",
    ),
  );
  return stream;
}

describe("a banned node", () => {
  it("is dismissed, refused, and in the ban set of every other node; the answer waits for their kernels", async () => {
    const web = await coordinator.join("web1");
    const [webStream, apiStream] = [await enforcing(web), await enforcing(await coordinator.join("api1"))];
    const banning = ban("web1", ["fd77::11"]);
    const next = await eventually("the ban", () => apiStream.of("desired")[1]);
    expect(next.policy?.guard?.banned).toEqual(["10.77.0.11", "fd77::11"]);
    apiStream.enforce(next);
    const { done, nodes, missing } = await banning;
    expect(done.join("; ")).toContain("its connection was ended, and its agent told that it is banned");
    expect(nodes.map(({ node, phase }) => [node, phase])).toEqual([["api1", "enforced"]]);
    expect(missing).toEqual([]);

    expect(await webStream.first("dismissal")).toMatchObject({ reason: "banned", banEpoch: 1n });
    await webStream.end();
    // what it is to be is no business of a banned node
    expect(webStream.of("desired")).toHaveLength(1);
    const again = new AgentStream(coordinator.agent(web)).hello();
    expect((await again.first("dismissal")).reason).toBe("banned");
    expect((await again.end())?.details).toContain("the node web1 is banned");
    await expect(
      unary((done) => coordinator.agent(web).renewIdentity({ csr: Buffer.from("x") }, done)),
    ).rejects.toThrow(/the node web1 is banned/);
    expect(await stateOf("web1")).toBe("Banned");
    await eventually("SPIRE", () => coordinator.spire.deleted.length === 1);
    expect([...coordinator.spire.entries.keys()]).not.toContain("weft.web1.web");
    const bundle = TrustBundle.decode(apiStream.of("bundle").at(-1)!.bundle);
    expect(bundle).toMatchObject({ banEpoch: 1n, bannedNodes: ["web1"] });
    // a new mesh file does not lift it, nor does it a new start
    await coordinator.apply(meshText, { acceptRisks: ["GUARD-ADMIN", "GUARD-PORT"] });
    expect((await eventually("the file", () => apiStream.of("desired")[2])).policy?.guard?.banned).toEqual([
      "10.77.0.11",
      "fd77::11",
    ]);
    await coordinator.daemon.stop();
    await coordinator.start();
    expect(await stateOf("web1")).toBe("Banned");
    await expect(coordinator.token("web1")).rejects.toThrow(/is banned/);
  });

  it("comes back with the keys it has, once it is unbanned", async () => {
    const web = await coordinator.join("web1");
    const [webStream, apiStream] = [await enforcing(web), await enforcing(await coordinator.join("api1"))];
    const banning = ban("web1");
    apiStream.enforce(await eventually("the ban", () => apiStream.of("desired")[1]));
    await banning;
    await webStream.end();
    const back = unban("web1");
    const next = await eventually("the end of it", () => apiStream.of("desired")[2]);
    expect(next.policy?.guard?.banned).toEqual([]);
    apiStream.enforce(next);
    const { nodes, missing } = await back;
    expect(nodes.map(({ node }) => node)).toEqual(["api1"]);
    // It is away: its kernel has not said what it carries since.
    expect(missing.map(({ node }) => node)).toEqual(["web1"]);
    const again = new AgentStream(coordinator.agent(web)).hello();
    await again.first("welcome");
    expect(await stateOf("web1")).toBe("Online");
    await eventually("its entries", () => coordinator.spire.entries.has("weft.web1.web"));
    expect(TrustBundle.decode(apiStream.of("bundle").at(-1)!.bundle)).toMatchObject({
      banEpoch: 2n,
      bannedNodes: [],
    });
  });

  it("is said to be in no kernel that did not say so; and never is the hub, or who never joined", async () => {
    const [web, api] = [await coordinator.join("web1"), await coordinator.join("api1")];
    await enforcing(web);
    await enforcing(api);
    const { nodes, missing } = await ban("web1");
    expect(nodes).toEqual([]);
    expect(missing).toEqual([{ node: "api1", why: "not after 2 s; it goes on trying" }]);
    await coordinator.join("hub");
    await expect(ban("hub")).rejects.toThrow(/hub carries the coordinator and cannot be banned/);
    await expect(ban("api1", ["10.77.0.10"])).rejects.toThrow(/is the address of the node hub/);
    await expect(ban("web9")).rejects.toThrow(/never joined/);
    await expect(unban("api1")).rejects.toThrow(/is not banned/);
  });
});
