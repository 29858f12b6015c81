// What a real kernel remembers of flows: who is counted where, quotas of one source, how far the memory goes back, and
// that recording decides nothing. Read as the agent reads it.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import type { Observation, ObservedFlow } from "../../packages/shared/src/model/observation.ts";
import { forgetting } from "../../packages/shared/src/render/nftables-memory.ts";
import { quotas } from "../../packages/shared/src/render/nftables-records.ts";
import { NodeMemory } from "../support/node-memory.ts";
import { PolicyNet } from "../support/policy-net.ts";

const lab = new PolicyNet();
const { net, address, user } = lab;
const policy =
  "policies:\n  - { name: web-to-api, from: [web], to: api }\nguard: { admin: [10.77.0.64/28], ports: [22/tcp] }\n";
const memories = { web1: new NodeMemory(net, "web1"), api1: new NodeMemory(net, "api1") };

beforeAll(async () => {
  await lab.up();
  for (const memory of Object.values(memories)) await memory.prepare(lab.uids);
}, 300_000);
afterAll(() => net.down());
beforeEach(() => {
  lab.clear();
  lab.enforce(policy);
});
afterAll(() => {
  for (const memory of Object.values(memories)) memory.dispose();
});
afterEach(() => lab.clear());

async function told(node: keyof typeof memories): Promise<{ last: Observation; flows: ObservedFlow[] }> {
  const messages = await memories[node].tell();
  return { last: messages.at(-1)!, flows: messages.flatMap(({ flows }) => flows) };
}

/** UDP packets to so many ports, from a process of that uid: a scan. */
function scan(host: string, uid: number, target: string, ports: number): void {
  const loop = `for p in $(seq 20000 ${20_000 + ports - 1}); do echo > /dev/udp/${target}/$p; done`;
  net.run(host, ["setpriv", `--reuid=${uid}`, "--clear-groups", "bash", "-c", `${loop} 2>/dev/null || true`]);
}

describe("the memory of flows", () => {
  it("has each connection once, where it was sent and where it arrived, declared port or not", async () => {
    for (let count = 0; count < 3; count++) await net.as("web1", user.web).dial(address.api1.v4, 8080);
    await net.as("web1", user.mallory).dial(address.api1.v4, 9999);
    await net.as("rogue", user.root).dial(address.api1.v6, 9999);
    await net.as("rogue", user.root).dial(address.api1.v4, 22);
    const [web1, api1] = [await told("web1"), await told("api1")];
    const seen = (flows: readonly ObservedFlow[]) =>
      flows
        .filter(({ kind }) => kind === "seen")
        .map(({ direction, source, destination, port, user: name, packets }) =>
          [direction, source ?? destination, port, name, packets].join(" ").replace("  ", " "),
        )
        .sort();
    expect(seen(web1.flows)).toEqual(["out 10.77.0.12 8080 web 3", "out 10.77.0.12 9999 mallory 1"]);
    expect(seen(api1.flows)).toEqual([
      "in 10.77.0.11 8080 3",
      "in 10.77.0.11 9999 1",
      "in 10.77.0.66 22 1",
      "in fd77::66 9999 1",
    ]);
    // in sets of their own: neither can be crowded out by whoever else calls
    expect(lab.elements("api1", "seen_mesh_in4")).toContain("10.77.0.11 . tcp . 8080");
    expect(lab.elements("api1", "seen_guard_in4")).toContain("10.77.0.66 . tcp . 22");
  });

  it("leaves out what is for the coordinator, and what goes to everybody", async () => {
    await net.as("web1", user.root).dial(address.hub.v4, 7443);
    expect((await told("web1")).flows).toEqual([]);
    expect(lab.elements("hub", "seen_in4")).not.toContain("10.77.0.11");
  });
});

describe("a quota", () => {
  it("of one remote source bounds it alone, names it, and changes no verdict", async () => {
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 9999)).toBe("open");
    scan("rogue", 0, address.api1.v4, quotas.in + 100);
    scan("rogue", 0, address.api1.v6, quotas.in + 100);
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 9999)).toBe("open");
    const { last, flows } = await told("api1");
    expect(last.spent.map(({ direction, source }) => [direction, source])).toEqual([
      ["in", "10.77.0.66"],
      ["in", "fd77::/64"],
    ]);
    const of = (source: string) => flows.filter((flow) => flow.source === source);
    expect(of("10.77.0.66")).toHaveLength(quotas.in);
    expect(of("10.77.0.11").map(({ port }) => port)).toEqual(expect.arrayContaining([8080, 9999]));
    expect(last.fullSets).toEqual([]);
    // over its quota: open and refused stay what they are, and what is remembered of it goes on being counted
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 9999)).toBe("open");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 22)).toBe("ECONNREFUSED");
    const later = (await told("api1")).flows;
    expect(later.find(({ source, port }) => source === "10.77.0.66" && port === 9999)?.packets).toBe(2);
    // guard flows are remembered nevertheless
    expect(later.some(({ source, port }) => source === "10.77.0.66" && port === 22)).toBe(true);
  });

  it("of one uid bounds what it opens outside the mesh, over both families together", async () => {
    const half = quotas.out / 2;
    scan("web1", user.mallory, address.rogue.v4, half + 50);
    scan("web1", user.mallory, address.rogue.v6, half + 50);
    await net.as("web1", user.mallory).dial(address.api1.v4, 8080);
    await net.as("web1", user.web).dial(address.rogue.v4, 9999);
    const { last, flows } = await told("web1");
    expect(last.spent).toMatchObject([{ direction: "out", uid: user.mallory, user: "mallory" }]);
    const seen = flows.filter(({ kind, user: name }) => kind === "seen" && name === "mallory");
    expect(seen).toHaveLength(quotas.out + 1);
    expect(seen.some(({ destination, port }) => destination === address.api1.v4 && port === 8080)).toBe(true);
    expect(flows.some(({ user: name, port }) => name === "web" && port === 9999)).toBe(true);
  });
});

describe("how far the memory goes back", () => {
  it("begins when it is first looked at, is counted by the kernel, and outlives a change of the rules", async () => {
    expect((await told("api1")).last.memorySeconds).toBe(0);
    memories.api1.age(1000);
    const before = (await told("api1")).last.memorySeconds;
    expect(before).toBeGreaterThanOrEqual(998);
    lab.enforce("policies: []\n");
    expect((await told("api1")).last.memorySeconds).toBeGreaterThanOrEqual(before);
  });

  it.each([
    ["the table was deleted", "delete table inet weft"],
    ["one set was emptied", "flush set inet weft seen_in6"],
    ["the rules were somebody else's", `${forgetting.join(" ")}\n`],
  ])("begins anew after %s", async (_what, script) => {
    memories.api1.age(1000);
    expect((await told("api1")).last.memorySeconds).toBeGreaterThan(0);
    net.nft("api1", script);
    lab.enforce(policy);
    expect((await told("api1")).last.memorySeconds).toBe(0);
  });
});
