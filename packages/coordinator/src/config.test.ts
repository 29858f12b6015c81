import { describe, expect, it } from "@jest/globals";
import { parseConfig } from "./config.ts";

const least = { mesh: "shop", trustDomain: "mesh.internal", hub: "hub", address: "10.77.0.10" };
const parse = (value: unknown) => parseConfig(JSON.stringify(value), "coordinator.json");

describe("the coordinator's settings", () => {
  it("need four fields; the rest has its usual place", () => {
    expect(parse(least)).toMatchObject({
      ...least,
      agentPort: 7443,
      enrolmentPort: 7444,
      spirePort: 8081,
      stateDirectory: "/var/lib/weft-coordinator",
      controlSocket: "/run/weft/control.sock",
      svidSeconds: 3600,
    });
  });

  it.each([
    ["a name for an address", { ...least, address: "hub.example" }, "address"],
    ["an address in another spelling", { ...least, address: "fd77:0::1" }, "address"],
    ["a misspelt field", { ...least, agentport: 1 }, "agentport"],
    ["a missing field", { ...least, hub: undefined }, "hub"],
    ["a relative path", { ...least, components: "components" }, "components"],
    ["a bad trust domain", { ...least, trustDomain: "Mesh" }, "trust domain"],
  ])("are refused with %s, naming it", (_what, value, words) => {
    expect(() => parse(value)).toThrow(expect.objectContaining({ why: expect.stringContaining(words) }));
  });
});
