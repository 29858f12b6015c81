import { describe, expect, it } from "@jest/globals";
import type { DesiredContent, Endpoint, Protocol } from "@weft/shared/model/desired";
import type { DialQuestion } from "@weft/shared/model/dial";
import fc from "fast-check";
import { sampleCilium } from "../../../../test/support/cilium/sample-endpoint.ts";
import { emptyContent } from "../../../../test/support/desired.ts";
import { floored } from "../../../../test/support/floored.ts";
import { dialRefusal } from "./admit-dial.ts";

const endpoint = (address: string, protocol: Protocol, from: number, to = from): Endpoint => ({
  service: "api",
  node: "api1",
  address,
  portName: "http",
  port: { protocol, from, to },
  user: "api",
  mode: "enforce",
});

const bare = emptyContent("web1");
const content: DesiredContent = {
  ...bare,
  identity: {
    ...bare.identity,
    workloads: [{ service: "web", spiffeId: "spiffe://mesh.internal/web", user: "web", unit: undefined }],
  },
  policy: {
    ...bare.policy,
    mesh: [
      endpoint("10.77.0.12", "tcp", 8080),
      endpoint("10.77.0.12", "tcp", 9000, 9010),
      endpoint("10.77.0.13", "udp", 5353),
    ],
  },
};
const question: DialQuestion = { id: 1, user: "web", destination: "10.77.0.12", port: 8080 };

describe("what a node dials for its coordinator", () => {
  it("is a declared endpoint, as the user of one of its services or as root", () => {
    expect(dialRefusal(content, question)).toBeUndefined();
    expect(dialRefusal(content, { ...question, user: "root" })).toBeUndefined();
    for (const port of [9000, 9005, 9010])
      expect(dialRefusal(content, { ...question, port })).toBeUndefined();
  });

  it("is nothing else: each is refused in a sentence", () => {
    const endpointRefusal = expect.stringMatching(/is no endpoint that its mesh declares$/);
    const refused: [Partial<DialQuestion>, unknown][] = [
      [{ port: 22 }, endpointRefusal],
      [{ port: 8999 }, endpointRefusal],
      [{ port: 9011 }, endpointRefusal],
      [{ destination: "127.0.0.1" }, endpointRefusal],
      [{ destination: "169.254.169.254", port: 80 }, endpointRefusal],
      [{ destination: "10.77.0.13", port: 5353 }, endpointRefusal],
      [{ user: "api" }, "api is not the user of a service of web1"],
      [{ user: "" }, " is not the user of a service of web1"],
      [{ user: "0" }, "0 is not the user of a service of web1"],
    ];
    for (const [part, sentence] of refused)
      expect(dialRefusal(content, { ...question, ...part })).toEqual(sentence);
    expect(dialRefusal(undefined, question)).toBe("it has no state to go by");
  });

  it("is another's endpoint of Cilium for who has one here, at the address its name leads to", () => {
    const name = "api1.api.mesh.internal";
    const cilium = sampleCilium("web");
    const record = (value: string) => ({ name, type: "A" as const, value });
    const dns = {
      ...bare.dns,
      zone: "mesh.internal",
      records: [
        record("10.42.12.7"),
        record("192.0.2.7"),
        { ...record("10.42.12.8"), name: "api.mesh.internal" },
      ],
    };
    const placed = {
      ...content,
      cilium,
      dns,
      policy: { ...content.policy, mesh: [{ ...endpoint("10.77.0.12", "tcp", 8080), node: "api1" }] },
    };
    const asked = (part: Partial<DialQuestion>, of = placed) =>
      dialRefusal(of, { ...question, destination: "10.42.12.7", ...part }) === undefined;
    expect(asked({})).toBe(true);
    expect(asked({ destination: "10.77.0.12" })).toBe(true);
    expect(asked({ user: "root" })).toBe(false);
    expect(asked({ port: 22 })).toBe(false);
    // outside the ranges, by another name, of a node that is not declared
    for (const destination of ["192.0.2.7", "10.42.12.8", "10.42.12.9"])
      expect(asked({ destination })).toBe(false);
    expect(asked({}, { ...placed, cilium: { ...cilium, endpoints: [] } })).toBe(false);
    expect(asked({}, { ...placed, policy: { ...placed.policy, mesh: [] } })).toBe(false);
  });

  it("is what the machine's floor lets be of that", () => {
    const answers = (floor: string) => {
      const { identity, policy } = content;
      const admitted = floored(floor, { identity, policy: { mesh: policy.mesh } });
      return [question, { ...question, user: "root" }].map(
        (asked) => dialRefusal(admitted, asked) === undefined,
      );
    };
    expect(answers("nodes: [10.77.0.0/24]")).toEqual([true, true]);
    expect(answers("nodes: [10.88.0.0/24]")).toEqual([false, false]);
    expect(answers("users: [shop]")).toEqual([false, true]);
  });

  it("is within what is declared, whatever is asked", () => {
    const ask = fc.record({
      id: fc.constant(1),
      user: fc.constantFrom("web", "root", "api", "mallory", ""),
      destination: fc.constantFrom("10.77.0.11", "10.77.0.12", "10.77.0.13", "192.0.2.1"),
      port: fc.oneof(fc.constantFrom(22, 8080, 5353), fc.integer({ min: 8995, max: 9015 })),
    });
    fc.assert(
      fc.property(ask, (asked) => {
        const isEndpoint =
          asked.destination === "10.77.0.12" &&
          (asked.port === 8080 || (asked.port >= 9000 && asked.port <= 9010));
        const mayBe = ["web", "root"].includes(asked.user);
        expect(dialRefusal(content, asked) === undefined).toBe(isEndpoint && mayBe);
      }),
      { numRuns: 300 },
    );
  });
});
