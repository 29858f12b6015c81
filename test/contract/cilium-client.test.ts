// The client of a Cilium agent's REST API, call by call: the fake agent answers as the recorded one of 1.18.10 did, and the
// client reads what that one said.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { z } from "zod";
import { ciliumSocket } from "../../packages/node-agent/src/cilium/agent-client.ts";
import { parseEndpoint } from "../../packages/node-agent/src/cilium/parse-endpoint.ts";
import type { WeftError } from "../../packages/shared/src/errors/weft-error.ts";
import { byText } from "../../packages/shared/src/plan/text-order.ts";
import { AgentWorld, wish } from "../support/cilium/agent-world.ts";
import { eventually } from "../support/eventually.ts";
import { answerOf } from "../support/fake-cilium-agent.ts";

const calls = z
  .array(
    z.object({
      name: z.string(),
      method: z.enum(["GET", "PUT", "POST", "PATCH", "DELETE"]),
      path: z.string(),
      body: z.record(z.string(), z.unknown()).optional(),
      status: z.number(),
      answer: z.unknown(),
    }),
  )
  .parse(JSON.parse(answerOf("calls")));

let world: AgentWorld;
beforeEach(async () => {
  world = new AgentWorld();
  await world.listen();
});
afterEach(() => world.dispose());

const failureOf = async (call: Promise<unknown>) => {
  const failure = (await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )) as WeftError | undefined;
  return { code: failure?.code, message: failure?.message ?? "", why: failure?.why, hint: failure?.hint };
};

describe("the fake agent", () => {
  it.each(calls.map((call) => [call.name, call] as const))("answers %s as recorded", async (_, call) => {
    // those recorded endpoints are there, but for the ones that are about to be made
    const { owner } = call.status === 201 ? { owner: String(call.body?.["container-id"]) } : { owner: "" };
    if (owner !== "") world.agent.endpoints.drop(owner);
    const answer = await world.host.sockets.ask(ciliumSocket, { ...call, timeoutMs: 5_000 });
    expect(answer?.status).toBe(call.status);
    const said: unknown = answer?.body === "" ? "" : JSON.parse(answer?.body ?? "");
    if (call.status !== 201) expect(said).toEqual(call.answer);
    else {
      const ofNow = { id: 0, realisedRevision: 0, state: "" };
      const [got, wanted] = [said, call.answer].map((each) => parseEndpoint(JSON.stringify(each)));
      expect({ ...got, ...ofNow }).toEqual({ ...wanted, ...ofNow });
    }
  });
});

describe("what the recorded agent said", () => {
  it("of its endpoints (GET /v1/endpoint)", async () => {
    const endpoints = await world.client.endpoints();
    expect(endpoints.map(({ owner, reserved }) => owner ?? reserved)).toEqual([
      "svc-a-3d3abfaa",
      "host",
      "svc-c-af42eddd",
      "health",
    ]);
    expect(endpoints[0]).toEqual({
      id: 1175,
      state: "ready",
      reserved: undefined,
      owner: "svc-a-3d3abfaa",
      identity: 8061,
      labels: [
        "k8s:io.cilium.k8s.policy.cluster=vmmesh",
        "k8s:io.kubernetes.pod.namespace=vmmesh",
        "spiffe:id=3b8321047b638c6e1d7800435e5ab180c7c2be80",
        "spiffe:path=a",
        "spiffe:td=internal.test",
      ],
      identityLabels: expect.arrayContaining(["spiffe:path=a"]),
      address: "10.42.1.61",
      linkName: "lxcc8137ee642ef",
      linkIndex: 27,
      mac: "8a:f1:7c:b3:46:95",
      hostMac: "d6:cb:78:ac:c7:88",
      realisedRevision: 1,
    });
    expect(endpoints[1]).toMatchObject({ reserved: "host", owner: undefined, address: undefined });
  });

  it("of its options (GET /v1/config)", async () => {
    expect(await world.client.config()).toEqual({
      policy: "default",
      checksSources: true,
      hostFirewall: false,
      cidrMatchMode: ["nodes"],
      routing: "tunnel",
      range: "10.42.3.0/24",
      allocationRange: "10.42.3.0/24",
      deviceMtu: 1500,
      routeMtu: 1450,
    });
  });

  it("of its addresses (GET /v1/healthz)", async () => {
    world.agent.behaviours.set("healthz", (to) => void to.end(answerOf("healthz")));
    const { allocations } = await world.client.health();
    expect(allocations.get("10.42.1.180")).toBe("router");
    expect(allocations.get("10.42.1.61")).toBe("/ [restored]");
  });

  it("of its policies (GET /v1/policy)", async () => {
    expect(await world.client.policyRevision()).toBe(1);
    world.agent.behaviours.set("policy", (to) => void to.end(answerOf("policy")));
    expect(await world.client.policyRevision()).toBe(1);
  });
});

describe("calls", () => {
  it("about an endpoint: looked for, made, found, given labels, removed, gone", async () => {
    const { client } = world;
    expect(await client.endpoint(wish.owner)).toBeUndefined();
    expect(await client.claimAddress(wish.address, wish.owner)).toBe("claimed");
    const made = await client.putEndpoint(wish);
    expect(made).toMatchObject({ owner: wish.owner, address: wish.address, linkIndex: 31 });
    expect(await client.endpoint(wish.owner)).toMatchObject({ id: made.id, mac: wish.mac });
    const labels = [...wish.labels.slice(0, 2), ...wish.labels.slice(3)];
    await client.patchLabels(wish.owner, labels);
    expect((await client.endpoint(wish.owner))?.labels).toEqual(labels.toSorted(byText));
    expect(await client.deleteEndpoint(wish.owner)).toBe(true);
    expect(await client.deleteEndpoint(wish.owner)).toBe(false);
    expect(await client.endpoint(wish.owner)).toBeUndefined();
    // its address is free again
    expect(await client.claimAddress(wish.address, wish.owner)).toBe("claimed");
  });

  it("PUT and PATCH are sent as they were recorded, but for the address, which does not expire", async () => {
    const bodyOf = (name: string) => calls.find((call) => call.name === name)?.body;
    world.agent.endpoints.drop("svc-c-af42eddd");
    const recorded = bodyOf("put-endpoint-cilium-local-0-201-3");
    await world.client.putEndpoint({
      owner: "svc-c-af42eddd",
      address: "10.42.1.37",
      labels: z.array(z.string()).parse(recorded?.["labels"]),
      linkName: "lxc8ac1c5d77fc3",
      linkIndex: 28,
      mac: "d2:c1:82:ea:66:b4",
      hostMac: "1a:be:25:f2:fb:11",
    });
    expect(world.agent.sent).toEqual({
      ...recorded,
      addressing: { ipv4: "10.42.1.37", "ipv4-pool-name": "default" },
    });
    const patched = bodyOf("patch-endpoint-container-id-svc-c-af42eddd-200-1");
    await world.client.patchLabels("svc-c-af42eddd", z.array(z.string()).parse(patched?.["labels"]));
    expect(world.agent.sent).toEqual(patched);
  });

  it("about an address: claimed once, taken, released, released again", async () => {
    const { client } = world;
    expect(await client.claimAddress("10.42.1.81", "weft-web")).toBe("claimed");
    expect(await client.claimAddress("10.42.1.81", "weft-api")).toBe("taken");
    await client.releaseAddress("10.42.1.81");
    await client.releaseAddress("10.42.1.81");
    expect(await client.claimAddress("10.42.1.81", "weft-api")).toBe("claimed");
  });

  it("an address outside of the range is refused when it is claimed, as a PUT would not", async () => {
    expect(await failureOf(world.client.claimAddress("10.9.9.9", "weft-api"))).toMatchObject({
      code: "WEFT-E004",
      why: expect.stringContaining("not in the valid range"),
    });
  });

  it.each<[string, string, () => Promise<unknown>, string]>([
    [
      "same container-id",
      "already exists",
      () => world.client.putEndpoint({ ...wish, owner: "svc-a-3d3abfaa" }),
      "400",
    ],
    [
      "same address",
      "already in use",
      () => world.client.putEndpoint({ ...wish, address: "10.42.1.61" }),
      "400",
    ],
    [
      "a reserved label",
      "not allowed to add reserved",
      () => world.client.putEndpoint({ ...wish, labels: ["reserved:host"] }),
      "400",
    ],
    [
      "labels that are all filtered out",
      "no valid labels",
      () => world.client.putEndpoint({ ...wish, labels: ["k8s:io.kubernetes.foo=x"] }),
      "400",
    ],
    [
      "the address of an endpoint released",
      "in use by endpoint 1175",
      () => world.client.releaseAddress("10.42.1.61"),
      "500",
    ],
  ])("%s: refused, with the agent's words and what to do", async (_, why, call, status) => {
    const failure = await failureOf(call());
    expect(failure).toMatchObject({ code: "WEFT-E004", why: expect.stringContaining(why) });
    expect(failure.message).toContain(`answered ${status}`);
    expect(failure.hint).toBeTruthy();
  });

  it("40 at once are answered", async () => {
    const all = await Promise.all(Array.from({ length: 40 }, () => world.client.endpoints()));
    expect(new Set(all.map((each) => each.length))).toEqual(new Set([4]));
  });
});

describe("an agent that misbehaves", () => {
  const put = "PUT endpoint/cilium-local:0";

  it.each<[string, Parameters<AgentWorld["agent"]["behaviours"]["set"]>[1], string, RegExp]>([
    ["429", (to) => to.writeHead(429).end('"rate limited"'), "WEFT-E004", /answered 429/],
    [
      "500 after long",
      (to) => setTimeout(() => to.writeHead(500).end('"x"'), 50),
      "WEFT-E004",
      /answered 500/,
    ],
    ["503", (to) => to.writeHead(503).end(), "WEFT-E004", /answered 503/],
    ["no answer", () => {}, "WEFT-E005", /not answered within 0.5 s/],
    ["a broken connection", (to) => to.destroy(), "WEFT-E004", /failed/],
    ["half an answer", (to, text) => to.end(text.slice(0, 30)), "WEFT-E003", /not understood/],
    ["another type", (to) => to.end('{"id":"x","status":{"state":"ready"}}'), "WEFT-E003", /not understood/],
    ["not of this version", (to) => to.writeHead(405).end(), "WEFT-E004", /answered 405/],
  ])("%s: an error that says what to do", async (_, behaviour, code, message) => {
    world.agent.behaviours.set(put, behaviour);
    const failure = await failureOf(
      world.client.putEndpoint(wish, code === "WEFT-E005" ? { timeoutMs: 500 } : {}),
    );
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) });
    if (code !== "WEFT-E003") expect(failure.hint).toBeTruthy();
  });

  it("no agent: WEFT-E007", async () => {
    await world.agent.close();
    expect(await failureOf(world.client.endpoints())).toMatchObject({
      code: "WEFT-E007",
      hint: expect.stringContaining("systemctl start weft-cilium"),
    });
  });

  it("an abort closes the connection at once, and the agent rolls the endpoint back", async () => {
    world.agent.endpoints.hangs = true;
    const abort = new AbortController();
    const call = failureOf(world.client.putEndpoint(wish, { signal: abort.signal }));
    await eventually("the endpoint is being made", () => world.agent.endpoints.all.has(wish.owner));
    abort.abort();
    expect((await call).message).toContain("abort");
    await eventually("it is rolled back", () => !world.agent.endpoints.all.has(wish.owner));
  });
});

describe("readiness", () => {
  const hostIs = (state: string) =>
    world.agent.behaviours.set("endpoint", (to, text) => {
      const all = JSON.parse(text) as { id: number; status: { state: string } }[];
      const changed = all.map((each) =>
        each.id === 1768 ? { ...each, status: { ...each.status, state } } : each,
      );
      to.end(JSON.stringify(state === "" ? [] : changed));
    });

  it("healthy, and the datapath of the host compiled", async () => {
    expect(await world.client.hostReady()).toEqual({ ready: true });
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      "healthy before the datapath is compiled",
      () => hostIs("regenerating"),
      /datapath is not ready: regenerating/,
    ],
    ["healthy without a host endpoint", () => hostIs(""), /no host endpoint yet/],
    [
      "without its store",
      () => (world.agent.endpoints.hasStore = false),
      /Failure: Kvstore service is not ready/,
    ],
    [
      "healthz 503",
      () => world.agent.behaviours.set("healthz", (to) => to.writeHead(503).end()),
      /answered 503/,
    ],
    ["not there", () => world.agent.close(), /nothing is at/],
  ])("%s: not ready, and why", async (_, make, why) => {
    await make();
    expect(await world.client.hostReady()).toEqual({ ready: false, why: expect.stringMatching(why) });
  });
});
