// What becomes of files in the directory of an agent of 1.18.10, row by row as it was seen: the fake agent does the same, and what
// Weft would write is refused before it gets there wherever that is not what it says.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { refusalsOf } from "../../packages/shared/src/cilium-file/policy-file.ts";
import { AgentWorld, policyDirectory } from "../support/cilium/agent-world.ts";
import { policyOf } from "../support/cilium/policy-sample.ts";

let world: AgentWorld;
beforeEach(async () => {
  world = new AgentWorld();
  await world.listen();
});
afterEach(() => world.dispose());

const { name, text } = policyOf("api");
const put = (file: string, content: string) => world.host.files.write(`${policyDirectory}/${file}`, content);
const pass = async (ms = 1_000) => {
  await world.clock.sleep(ms);
  world.engine.settle();
};

it("a good file is loaded, replaced and unloaded; each raises the revision by one", async () => {
  await put(name, text);
  await pass();
  expect([...world.engine.loaded.keys()]).toEqual([name]);
  await put(name, policyOf("api", 9090).text);
  await pass();
  expect(JSON.stringify(world.engine.loaded.get(name))).toContain("9090");
  await world.host.files.remove(`${policyDirectory}/${name}`);
  await pass();
  expect([world.engine.loaded.size, world.engine.revision, world.engine.ended]).toEqual([0, 4, undefined]);
});

it("30 at once are all loaded, one revision each", async () => {
  for (let nth = 0; nth < 30; nth++) await put(`weft-s${nth}.yaml`, policyOf(`s${nth}`).text);
  await pass();
  expect([world.engine.loaded.size, world.engine.revision]).toEqual([30, 31]);
});

it("they are loaded and unloaded without etcd, too", async () => {
  world.agent.endpoints.hasStore = false;
  await put(name, text);
  await pass();
  expect(world.engine.loaded.size).toBe(1);
  expect(await world.client.policyRevision()).toBe(2);
});

describe("valid YAML, invalid rule: only logged, the old version stays; fatal at the next start, after healthz", () => {
  it.each([
    [
      "a SPIFFE ID as a value",
      text.replace(/"spiffe:id": "[0-9a-f]*"/, '"spiffe:id": "spiffe://mesh.internal/web"'),
    ],
    ["port 99999", text.replace('"8080"', '"99999"')],
    ["no name", text.replace(/"name": "weft-api",/, "")],
  ])("%s", async (_, bad) => {
    expect(bad).not.toBe(text);
    expect(refusalsOf({ name, text: bad })).not.toEqual([]);
    await put(name, text);
    await pass();
    const before = world.engine.loaded.get(name);
    await put(name, bad);
    await pass();
    expect([world.engine.ended, world.engine.revision]).toEqual([undefined, 2]);
    expect(world.engine.loaded.get(name)).toEqual(before);
    expect(world.engine.log.join()).toContain("failed to add network policy");
    await world.agent.restart();
    expect((await world.client.health()).state).toBe("Ok");
    await pass(3_000);
    expect(world.engine.ended).toContain(name);
    await expect(world.client.health()).rejects.toMatchObject({
      code: expect.stringMatching(/WEFT-E00[47]/),
    });
  });
});

describe("the agent ends over", () => {
  it.each([
    ["a wrong JSON type", text.replace('"8080"', "8080")],
    ["what is no YAML", `${text}]`],
  ])("%s", async (_, bad) => {
    expect(refusalsOf({ name, text: bad })).not.toEqual([]);
    await put(name, bad);
    await pass();
    expect(world.engine.ended).toContain(name);
  });

  it.each([
    ["removed", (path: string) => world.host.files.remove(path)],
    ["renamed away", (path: string) => world.host.files.rename(path, `${path}.old`)],
  ])("a file %s before it was read", async (_, undo) => {
    await put(name, text);
    await undo(`${policyDirectory}/${name}`);
    await pass();
    expect(world.engine.ended).toContain("no such file");
  });
});

describe("silently, not what it says", () => {
  it.each([
    ["unknown fields are ignored, the rest is applied", text.replace('"ingress":', '"ingresss":')],
    ["of two documents the second is dropped", `${text}---\n${policyOf("web").text}`],
  ])("%s", async (_, odd) => {
    expect(refusalsOf({ name, text: odd })).not.toEqual([]);
    await put(name, odd);
    await pass();
    expect([world.engine.loaded.size, world.engine.ended]).toEqual([1, undefined]);
    expect(JSON.stringify(world.engine.loaded.get(name))).not.toContain("ingresss");
  });

  it.each(["Upper_case.yaml", "weft-api.yml", "weft-api.yaml.weft-0123456789ab"])(
    "%s is ignored",
    async (odd) => {
      expect(refusalsOf({ name: odd, text })).not.toEqual([]);
      await put(odd, text);
      await pass();
      expect([world.engine.loaded.size, world.engine.revision, world.engine.ended]).toEqual([
        0,
        1,
        undefined,
      ]);
    },
  );
});
