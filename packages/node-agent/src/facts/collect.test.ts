import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { collectFacts } from "./collect.ts";

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.dispose());

it("a machine that tells nothing still has facts, a verdict that names what is not known, and trouble for the rest", async () => {
  const refuse = () => Promise.reject(new Error("no"));
  const facts = await collectFacts(host, { dnsOwner: refuse, cpuModel: refuse, components: refuse });
  expect(facts.ciliumVerdicts.map(({ version, can }) => [version, can])).toEqual([
    ["1.18.x", false],
    ["1.19.x", false],
  ]);
  const found = facts.ciliumVerdicts[0]?.because.map((reason) => `${reason.need}: ${reason.found}`);
  expect(found).toContainEqual(expect.stringMatching(/^\d+ kernel options: not known/));
  expect(found).toContainEqual(expect.stringMatching(/^port 8472\/udp \(VXLAN\): not known/));
  expect(facts.trouble).toContainEqual(expect.stringMatching(/^kernel options: there is neither/));
  expect(facts.trouble).toContainEqual(expect.stringMatching(/^ports: /));
});
