// Which service a number of Cilium stands for, by labels that an agent of 1.18.10 told (fixtures/cilium-1.18.10/identity.json).
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { PeerNames } from "../../packages/node-agent/src/cilium/peer-names.ts";
import { AgentWorld } from "../support/cilium/agent-world.ts";

const hash = "d4a812d0a5a88855ad86c3c6f9446125b3219fef";
let world: AgentWorld;
beforeEach(async () => {
  world = new AgentWorld();
  await world.listen();
});
afterEach(() => world.dispose());
const asked = () =>
  world.agent.asked.filter((call) => call.includes("/identity/")).map((call) => call.split(" ")[1]);

it("is asked once, and not for numbers that stand for no service", async () => {
  const names = new PeerNames(world.client);
  for (let turn = 0; turn < 2; turn++)
    await names.learn([57941, 57942, 57941, 0, 2, 255, 65_536, 33_554_437]);
  expect([names.of(57941), names.of(57942), names.of(2)]).toEqual([hash, "", ""]);
  expect(asked()).toEqual(["/v1/identity/57941", "/v1/identity/57942"]);
  names.forget();
  expect(names.of(57941)).toBe("");
});

it("is not known while there is no agent, and is asked for again", async () => {
  const names = new PeerNames(world.client);
  await world.agent.close();
  await names.learn([57941]);
  expect(names.of(57941)).toBe("");
  await world.listen();
  await names.learn([57941]);
  expect(names.of(57941)).toBe(hash);
});
