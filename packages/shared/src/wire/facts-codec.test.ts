import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { goodGround } from "../../../../test/support/cilium-machine.ts";
import { factsOf } from "../../../../test/support/report.ts";
import * as wire from "../gen/weft/v1/facts.ts";
import { type CiliumGround, type CiliumVerdict, nothingKnown } from "../model/cilium.ts";
import { decodeFacts, encodeFacts } from "./facts-codec.ts";

const reason = { need: "clang 18.1 or newer", found: "there is none", todo: "install package clang-18" };
const verdicts: readonly CiliumVerdict[] = [
  { version: "1.18.x", can: true, because: [] },
  { version: "1.19.x", can: false, because: [reason] },
];
const overTheWire = (message: wire.NodeFacts) =>
  wire.NodeFacts.decode(wire.NodeFacts.encode(message).finish());

const said = fc.string({ minLength: 1 });
const grounds: fc.Arbitrary<CiliumGround> = fc.record({
  kernelConfig: fc.string(),
  kernelOptions: fc.array(fc.record({ name: fc.string(), value: fc.constantFrom("y", "m", "n") }), {
    maxLength: 64,
  }),
  loadsModules: fc.boolean(),
  cgroup2At: fc.string(),
  tools: fc.array(
    fc.record({ name: fc.string(), path: fc.string(), version: fc.string(), form: fc.string() }),
    { maxLength: 16 },
  ),
  ports: fc.array(
    fc.record({
      port: fc.integer({ min: 1, max: 65_535 }),
      protocol: fc.constantFrom("tcp", "udp"),
      holder: fc.string(),
    }),
    { maxLength: 16 },
  ),
});
const someVerdicts: fc.Arbitrary<CiliumVerdict[]> = fc.array(
  fc
    .tuple(fc.string(), fc.array(fc.record({ need: said, found: said, todo: said }), { maxLength: 32 }))
    .map(([version, because]) => ({ version, can: because.length === 0, because })),
  { maxLength: 8 },
);

describe("facts on the wire", () => {
  it("come back as they were", () => {
    fc.assert(
      fc.property(grounds, someVerdicts, (cilium, ciliumVerdicts) => {
        const facts = factsOf({ cilium, ciliumVerdicts });
        expect(decodeFacts(overTheWire(encodeFacts(facts)))).toEqual(facts);
      }),
    );
  });

  it("of an agent from before the verdict say that nothing is known, and judge nothing", () => {
    const message: wire.NodeFacts = { ...encodeFacts(factsOf()), cilium: undefined, ciliumVerdicts: [] };
    expect(decodeFacts(overTheWire(message))).toMatchObject({ cilium: nothingKnown, ciliumVerdicts: [] });
  });

  const message = encodeFacts(factsOf({ cilium: goodGround, ciliumVerdicts: verdicts }));
  const ground = message.cilium!;
  it.each<readonly [string, wire.NodeFacts]>([
    [
      'kernel option VXLAN is "maybe"',
      { ...message, cilium: { ...ground, kernelOptions: [{ name: "VXLAN", value: "maybe" }] } },
    ],
    [
      "0 is no port",
      { ...message, cilium: { ...ground, ports: [{ port: 0, protocol: "tcp", holder: "" }] } },
    ],
    [
      "65536 is no port",
      { ...message, cilium: { ...ground, ports: [{ port: 65_536, protocol: "tcp", holder: "" }] } },
    ],
    [
      'protocol of a port is "sctp"',
      { ...message, cilium: { ...ground, ports: [{ port: 1, protocol: "sctp", holder: "" }] } },
    ],
    [
      "the verdict on Cilium 1.18.x contradicts itself",
      { ...message, ciliumVerdicts: [{ version: "1.18.x", can: true, because: [reason] }] },
    ],
    [
      "the verdict on Cilium 1.18.x contradicts itself",
      { ...message, ciliumVerdicts: [{ version: "1.18.x", can: false, because: [] }] },
    ],
    [
      "the verdict on Cilium 1.18.x has a reason that says nothing",
      { ...message, ciliumVerdicts: [{ version: "1.18.x", can: false, because: [{ ...reason, todo: "" }] }] },
    ],
  ])("are refused: %s", (problem, spoiled) => {
    expect(() => decodeFacts(overTheWire(spoiled))).toThrow(
      expect.objectContaining({ code: "WEFT-E003", message: problem }),
    );
  });

  it("are bounded: a list without end is cut", () => {
    const option = { name: "A", value: "y" };
    const long = {
      ...message,
      cilium: { ...ground, kernelOptions: Array.from({ length: 1000 }, () => option) },
    };
    expect(decodeFacts(overTheWire(long)).cilium.kernelOptions).toHaveLength(64);
  });
});
