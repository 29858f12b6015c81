// What is said of the order at boot.
import { describe, expect, it } from "@jest/globals";
import { type BootUnits, judgeBoot } from "./boot-check.ts";

const sound: BootUnits = {
  enabled: true,
  active: true,
  after: ["nftables.service", "ufw.service"],
  before: ["network-pre.target", "shutdown.target"],
  partOf: ["nftables.service", "ufw.service"],
  ruleUnits: ["nftables.service"],
};
const whats = (change: Partial<BootUnits>) => judgeBoot({ ...sound, ...change }).map(({ what }) => what);

describe("judgeBoot", () => {
  it("is content with an early unit after everything that flushes", () => {
    expect(judgeBoot(sound)).toMatchObject([{ standing: "good" }]);
    expect(whats({})[0]).toMatch(/before the network is up, and after nftables.service$/);
  });

  it.each([
    ["not enabled", { enabled: false }, /is not enabled/],
    ["after the network", { before: [] }, /not ordered before network-pre.target/],
    ["before what flushes", { after: [] }, /not ordered after nftables.service/],
    ["left out of a restart", { partOf: [] }, /a restart of nftables.service does not restart/],
  ])("finds it %s", (_, change, wanted) => {
    expect(judgeBoot({ ...sound, ...change }).map(({ standing }) => standing)).toEqual(["trouble"]);
    expect(whats(change)[0]).toMatch(wanted);
  });

  it("tells when it is not active", () => {
    expect(judgeBoot({ ...sound, active: false })).toMatchObject([{ standing: "notice" }]);
  });
});
