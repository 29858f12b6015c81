// Endpoints that are kept as they should be, with an agent that is slow, hangs, loses its store, begins anew or says no: each is
// ready in the end, or there is an error and nothing is left of the try.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { CiliumClient } from "../../packages/node-agent/src/cilium/agent-client.ts";
import { EndpointKeeper } from "../../packages/node-agent/src/cilium/endpoint-keeper.ts";
import type { EndpointWish } from "../../packages/node-agent/src/cilium/endpoint-wish.ts";
import { AgentWorld, wish } from "../support/cilium/agent-world.ts";
import { eventually } from "../support/eventually.ts";
import "../support/property-seed.ts";

let world: AgentWorld;
beforeEach(async () => {
  world = new AgentWorld();
  await world.listen();
});
afterEach(() => world.dispose());

const put = "PUT endpoint/cilium-local:0";
const changes = () =>
  world.agent.asked.filter((call) => !call.startsWith("GET")).map((call) => call.split(" ")[0]);
/** Gives up soon, in time of its own; what hangs does so for a moment of the real clock. */
const hasty = (own: AgentWorld, timeoutMs = 60_000) =>
  new EndpointKeeper(new CiliumClient(own.host.sockets, timeoutMs), own.clock, {
    readyMs: 2_000,
    undoMs: 1_000,
  });
const nothingLeft = () => {
  expect([...world.agent.endpoints.all.keys()]).not.toContain(wish.owner);
  expect([...world.agent.endpoints.claims.keys()]).not.toContain(wish.address);
};

describe("an endpoint", () => {
  it("that is not there is made, with its address, in one go; then it is kept", async () => {
    const { change, endpoint } = await world.keeper.ensure(wish);
    expect(change).toEqual({ kind: "create" });
    expect(endpoint).toMatchObject({ owner: wish.owner, state: "ready", address: wish.address });
    expect(changes()).toEqual(["POST", "PUT"]);
    expect((await world.keeper.ensure(wish)).change).toEqual({ kind: "keep" });
    expect(changes()).toEqual(["POST", "PUT"]);
  });

  it("that is answered 201 and regenerating is waited for (a cold start: 3.7 s; under load 9 s)", async () => {
    world.agent.endpoints.buildMs = 9_000;
    const before = world.clock.now().getTime();
    expect((await world.keeper.ensure(wish)).endpoint.state).toBe("ready");
    expect(world.clock.now().getTime() - before).toBeGreaterThanOrEqual(9_000);
  });

  it("that is never ready is taken back", async () => {
    world.agent.endpoints.buildMs = 1e9;
    await expect(world.keeper.ensure(wish)).rejects.toThrow(/not ready within 60 s/);
    nothingLeft();
  });

  it("with other labels gets them by PATCH, and is done when the identity is in force, 5 s later", async () => {
    const { endpoint } = await world.keeper.ensure(wish);
    const labels = wish.labels.map((label) => label.replace("path=api", "path=api2"));
    const before = world.clock.now().getTime();
    const after = await world.keeper.ensure({ ...wish, labels });
    expect(after.change).toEqual({ kind: "relabel" });
    expect(after.endpoint.id).toBe(endpoint.id);
    expect(after.endpoint.identity).not.toBe(endpoint.identity);
    expect(world.clock.now().getTime() - before).toBeGreaterThanOrEqual(5_150);
    expect(changes()).toEqual(["POST", "PUT", "PATCH"]);
  });

  it.each<[string, Partial<EndpointWish>]>([
    ["the link was made again: another index", { linkIndex: 77 }],
    ["another hardware address inside", { mac: "02:00:00:00:00:09" }],
    ["another hardware address outside", { hostMac: "02:00:00:00:00:09" }],
    ["another link", { linkName: "lxcother" }],
    ["another address", { address: "10.42.1.99" }],
  ])("is made again when it differs: %s", async (_, changed) => {
    await world.keeper.ensure(wish);
    const { change, endpoint } = await world.keeper.ensure({ ...wish, ...changed });
    expect(change).toMatchObject({ kind: "recreate", because: expect.stringMatching(/^its .* is .*, not /) });
    expect(endpoint).toMatchObject(changed);
    expect(changes()).toEqual(["POST", "PUT", "DELETE", "POST", "PUT"]);
  });

  it("is made again when nothing becomes of it any more", async () => {
    await world.keeper.ensure(wish);
    const found = world.agent.endpoints.all.get(wish.owner);
    if (found !== undefined) found.state = "invalid";
    if (found !== undefined) found.readyAt = Number.POSITIVE_INFINITY;
    expect((await world.keeper.ensure(wish)).change).toEqual({ kind: "recreate", because: "it is invalid" });
  });
});

describe("a try that fails leaves nothing", () => {
  it.each<[string, Parameters<AgentWorld["agent"]["behaviours"]["set"]>[1], RegExp]>([
    ["500 after long", (to) => to.writeHead(500).end('"context deadline exceeded"'), /answered 500/],
    ["429", (to) => to.writeHead(429).end(), /answered 429/],
    ["half an answer", (to) => to.end('{"id":'), /not understood/],
    ["a broken connection", (to) => to.destroy(), /failed/],
  ])("%s", async (_, behaviour, message) => {
    world.agent.behaviours.set(put, behaviour);
    await expect(hasty(world).ensure(wish)).rejects.toThrow(message);
    nothingLeft();
    world.agent.behaviours.clear();
    expect((await world.keeper.ensure(wish)).change).toEqual({ kind: "create" });
  });

  it("an answer that never comes", async () => {
    world.agent.behaviours.set(put, () => {});
    await expect(world.keeper.ensure(wish, { timeoutMs: 500 })).rejects.toThrow(/not answered within 0.5 s/);
    nothingLeft();
  });

  it("PUT hangs (no such interface): the client gives up, the agent rolls back, the address is released", async () => {
    world.agent.endpoints.hangs = true;
    await expect(world.keeper.ensure(wish, { timeoutMs: 500 })).rejects.toThrow(/not answered within 0.5 s/);
    nothingLeft();
  });

  it("etcd is away: PUT hangs; what there is stays; it works when etcd is back", async () => {
    const other = { ...wish, owner: "weft-web", address: "10.42.1.82", linkName: "lxcweftweb" };
    await world.keeper.ensure(other);
    world.agent.endpoints.hasStore = false;
    await expect(world.keeper.ensure(wish, { timeoutMs: 500 })).rejects.toThrow(/not answered/);
    nothingLeft();
    expect((await world.keeper.ensure(other)).change).toEqual({ kind: "keep" });
    world.agent.endpoints.hasStore = true;
    expect((await world.keeper.ensure(wish)).change).toEqual({ kind: "create" });
  });

  it("an abort in the middle", async () => {
    world.agent.endpoints.hangs = true;
    const abort = new AbortController();
    const call = world.keeper.ensure(wish, { signal: abort.signal });
    await eventually("it is being made", () => world.agent.endpoints.all.has(wish.owner));
    abort.abort();
    await expect(call).rejects.toThrow("abort");
    nothingLeft();
  });

  it("the agent refuses its labels", async () => {
    await expect(world.keeper.ensure({ ...wish, labels: ["reserved:host"] })).rejects.toThrow(/answered 400/);
    nothingLeft();
  });

  it("the agent ends in the middle: it says that not all is taken back, and the next try does", async () => {
    world.agent.behaviours.set(put, () => void world.agent.close());
    await expect(hasty(world).ensure(wish)).rejects.toMatchObject({
      code: "WEFT-E004",
      message: expect.stringContaining("nor all of it taken back"),
      hint: expect.any(String),
    });
    world.agent.behaviours.clear();
    await world.agent.restart();
    expect((await world.keeper.ensure(wish)).endpoint.state).toBe("ready");
  });
});

describe("an address that is taken", () => {
  it("by an earlier try of the same owner, with no endpoint: released and claimed", async () => {
    await world.client.claimAddress(wish.address, wish.owner);
    expect((await world.keeper.ensure(wish)).endpoint.address).toBe(wish.address);
    expect(changes()).toEqual(["POST", "POST", "DELETE", "POST", "PUT"]);
  });

  it("by somebody else: said whose it is, and left alone", async () => {
    await world.client.claimAddress(wish.address, "weft-web");
    await expect(world.keeper.ensure(wish)).rejects.toMatchObject({
      message: `the address ${wish.address} of weft-api is taken`,
      why: expect.stringContaining("weft-web"),
    });
    expect(world.agent.endpoints.claims.get(wish.address)).toBe("weft-web");
  });
});

describe("a new start of the agent", () => {
  it("keeps endpoints and identities", async () => {
    const { endpoint } = await world.keeper.ensure(wish);
    await world.agent.restart();
    const after = await world.keeper.ensure(wish);
    expect(after.change).toEqual({ kind: "keep" });
    expect(after.endpoint).toMatchObject({ id: endpoint.id, identity: endpoint.identity });
  });

  it("drops what has lost its link, which nothing tells before; the same labels get the same identity", async () => {
    const { endpoint } = await world.keeper.ensure(wish);
    world.agent.endpoints.lostLinks.add(wish.linkName);
    expect((await world.keeper.ensure(wish)).change).toEqual({ kind: "keep" });
    await world.agent.restart();
    world.agent.endpoints.lostLinks.clear();
    const after = await world.keeper.ensure({ ...wish, linkIndex: 90 });
    expect(after.change).toEqual({ kind: "create" });
    expect(after.endpoint.identity).toBe(endpoint.identity);
  });

  it("while an endpoint is waited for: waited on", async () => {
    world.agent.endpoints.buildMs = 30_000;
    let isAnew = false;
    world.clock.atSleep(3, async () => {
      await world.agent.restart();
      isAnew = true;
    });
    expect((await world.keeper.ensure(wish)).endpoint.state).toBe("ready");
    expect(isAnew).toBe(true);
  });
});

describe("endpoints that nobody wants", () => {
  it("are removed when they are Weft's, and others are left", async () => {
    await world.keeper.ensure(wish);
    await world.keeper.ensure({ ...wish, owner: "weft-old", address: "10.42.1.83", linkName: "lxcold" });
    expect(await world.keeper.removeOrphans(new Set([wish.owner]))).toEqual(["weft-old"]);
    expect(new Set(world.agent.endpoints.all.keys())).toEqual(
      new Set(["reserved:health", "reserved:host", "svc-a-3d3abfaa", "svc-c-af42eddd", "weft-api"]),
    );
  });

  it("one that cannot be removed does not keep the others", async () => {
    for (const [owner, address] of [
      ["weft-one", "10.42.1.84"],
      ["weft-two", "10.42.1.85"],
    ] as const)
      await world.keeper.ensure({ ...wish, owner, address });
    world.agent.behaviours.set("DELETE endpoint/container-id:weft-one", (to) => to.writeHead(500).end());
    await expect(world.keeper.removeOrphans(new Set())).rejects.toThrow(/weft-one.*answered 500/);
    expect(world.agent.endpoints.all.has("weft-two")).toBe(false);
  });
});

it("whoever enforces a revision is known by it", async () => {
  await world.keeper.ensure(wish);
  expect(await world.keeper.realised([wish.owner, "weft-none"], 1)).toEqual([wish.owner]);
  expect(await world.keeper.realised([wish.owner], 2)).toEqual([]);
});

describe("any sequence of failures", () => {
  const trouble = fc.constantFrom("none", "429", "500", "broken", "hang", "restart", "store");
  it("ends with every endpoint as it is wanted, once the agent is well, and no claim too many", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 30, max: 32 }), trouble), {
          maxLength: 6,
        }),
        async (steps) => {
          const own = new AgentWorld();
          await own.listen();
          try {
            const keeper = hasty(own, 60);
            const wanted = new Map<string, EndpointWish>();
            for (const [which, linkIndex, what] of steps) {
              const owner = `weft-s${which}`;
              wanted.set(owner, {
                ...wish,
                owner,
                linkIndex,
                address: `10.42.1.${90 + which}`,
                linkName: `lxc${which}`,
              });
              if (what === "429") own.agent.behaviours.set(put, (to) => to.writeHead(429).end());
              if (what === "500") own.agent.behaviours.set(put, (to) => to.writeHead(500).end());
              if (what === "broken") own.agent.behaviours.set(put, (to) => to.destroy());
              if (what === "hang") own.agent.endpoints.hangs = true;
              if (what === "store") own.agent.endpoints.hasStore = false;
              if (what === "restart") await own.agent.restart();
              for (const each of wanted.values()) await keeper.ensure(each).catch(() => undefined);
              own.agent.behaviours.clear();
              own.agent.endpoints.hangs = false;
              own.agent.endpoints.hasStore = true;
            }
            for (const each of wanted.values())
              expect((await own.keeper.ensure(each)).endpoint.state).toBe("ready");
            const ours = [...own.agent.endpoints.claims].filter(([address]) =>
              address.startsWith("10.42.1.9"),
            );
            expect(ours.length).toBe(wanted.size);
          } finally {
            await own.dispose();
          }
        },
      ),
      { numRuns: process.env["WEFT_LONG"] === "1" ? 500 : 25 },
    );
  }, 3_600_000);
});
