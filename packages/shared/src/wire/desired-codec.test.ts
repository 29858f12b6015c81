import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { DesiredState as Message } from "../gen/weft/v1/desired.ts";
import type { DesiredState, PortRange } from "../model/desired.ts";
import { canonicalText, digestOf } from "../plan/canonical.ts";
import { decodeDesired, encodeDesired } from "./desired-codec.ts";

const label = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const address = fc.ipV4();
const port: fc.Arbitrary<PortRange> = fc
  .record({
    protocol: fc.constantFrom("tcp" as const, "udp" as const),
    a: fc.integer({ min: 1, max: 65535 }),
    n: fc.nat(9),
  })
  .map(({ protocol, a, n }) => ({ protocol, from: a, to: Math.min(65535, a + n) }));
const origin = fc.record({ policy: label, file: label, line: fc.nat(1000) });
const action = fc.constantFrom("allow" as const, "deny" as const);
const mode = fc.constantFrom("enforce" as const, "audit" as const);
const endpoint = fc.record({
  service: label,
  node: label,
  address,
  portName: label,
  port,
  user: label,
  mode,
});
const ingress = fc.record({
  service: label,
  port,
  action,
  mode,
  from: label,
  source: address,
  strength: fc.constantFrom("mtls" as const, "address+uid" as const, "address" as const),
  origin,
});
const state: fc.Arbitrary<DesiredState> = fc
  .record({
    mesh: label,
    trustDomain: label,
    node: label,
    address,
    revision: fc.nat(),
    generation: fc.nat(),
    identity: fc.record({
      spireServerAddress: address,
      spireServerPort: fc.integer({ min: 1, max: 65535 }),
      workloads: fc.array(
        fc.record({
          service: label,
          spiffeId: label,
          user: label,
          unit: fc.option(label, { nil: undefined }),
        }),
      ),
    }),
    policy: fc.record({
      enforcement: fc.constant("nftables" as const),
      services: fc.array(endpoint),
      ingress: fc.array(ingress),
      mesh: fc.array(endpoint),
      forward: fc.array(ingress),
      egress: fc.array(
        fc.record({
          service: label,
          user: label,
          to: label,
          destination: address,
          port: fc.option(port, { nil: undefined }),
          action,
          mode,
          origin,
        }),
      ),
      guard: fc.record({
        admin: fc.array(address),
        ports: fc.array(port),
        coordinatorAddress: address,
        coordinatorPorts: fc.array(port),
        isCoordinator: fc.boolean(),
        nodeAddresses: fc.array(address),
        upstreams: fc.array(address),
        banned: fc.array(address),
      }),
      egressDefault: action,
      mode,
      boot: fc.constantFrom("guards-only" as const, "open" as const),
      baseline: fc.option(
        fc.record({
          mode,
          origin,
          allow: fc.array(
            fc.record({ from: label, source: address, port: fc.option(port, { nil: undefined }), origin }),
          ),
        }),
        { nil: undefined },
      ),
      // an empty list is none
      ping: fc.option(
        fc.array(fc.record({ from: label, source: address, action, mode, origin }), { minLength: 1 }),
        {
          nil: undefined,
        },
      ),
    }),
    dns: fc.record({
      zone: label,
      mode: fc.constantFrom("auto" as const, "file" as const, "off" as const, "resolved-link" as const),
      upstreams: fc.array(address),
      records: fc.array(
        fc.record({ name: label, type: fc.constantFrom("A" as const, "SRV" as const), value: label }),
      ),
    }),
  })
  .map((content) => ({ ...content, digest: digestOf(content) }));

describe("desired state on the wire", () => {
  it("comes back as it was sent, byte for byte in its canonical form", () => {
    fc.assert(
      fc.property(state, (sent) => {
        const bytes = Message.encode(encodeDesired(sent)).finish();
        expect(canonicalText(decodeDesired(Message.decode(bytes)))).toBe(canonicalText(sent));
      }),
    );
  });

  it.each([
    [
      "an address",
      (m: Message) => {
        m.address = "10.0.0.300";
      },
      "no IP address",
    ],
    [
      "a port",
      (m: Message) => {
        m.identity!.spireServerPort = 0;
      },
      "no port",
    ],
    [
      "a mode from a newer peer",
      (m: Message) => {
        m.policy!.mode = "shadow";
      },
      'mode is "shadow"',
    ],
    [
      "a missing section",
      (m: Message) => {
        m.policy = undefined;
      },
      "policy is missing",
    ],
    [
      "a digest",
      (m: Message) => {
        m.digest = "abc";
      },
      "no SHA-256 digest",
    ],
    [
      "a user that is no user name",
      (m: Message) => {
        m.identity!.workloads = [{ service: "a", spiffeId: "b", user: "a;b", unit: "" }];
      },
      "no user name",
    ],
  ])("refuses %s it cannot understand", (_what, spoil, words) => {
    const [sent] = fc.sample(state, { numRuns: 1, seed: 7 });
    const message = encodeDesired(sent!);
    spoil(message);
    expect(() => decodeDesired(message)).toThrow(words);
  });
});
