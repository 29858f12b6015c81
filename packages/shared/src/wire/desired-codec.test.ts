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
const ciliumRule = fc.record({
  direction: fc.constantFrom("ingress" as const, "egress" as const),
  action,
  peer: fc.oneof(
    fc.record({ kind: fc.constant("service" as const), service: label, spiffeId: label }),
    fc.record({ kind: fc.constant("node" as const), node: label, address }),
    fc.constant({ kind: "host" as const }),
    fc.record({ kind: fc.constant("range" as const), cidr: address, except: fc.array(address) }),
  ),
  ports: fc.option(fc.array(port), { nil: undefined }),
  origin,
  because: label,
});
const path = fc.option(
  label.map((name) => `/etc/etcd/${name}.pem`),
  { nil: undefined },
);
const cilium = fc.record({
  etcd: fc.record({
    members: fc.constant(["https://10.77.0.10:2379", "http://hub:2379"]),
    ca: path,
    certificate: fc.constant("/etc/etcd/agent.pem"),
    key: fc.constant("/etc/etcd/agent.key"),
  }),
  range: fc.constant("10.42.11.0/24"),
  ranges: fc.constant("10.42.0.0/16"),
  endpoints: fc.uniqueArray(
    fc.record({
      service: label,
      spiffeId: label,
      unit: label.map((name) => `${name}.service`),
      address: fc.nat(255).map((last) => `10.42.11.${last}`),
      ports: fc.array(port),
      rules: fc.array(ciliumRule),
    }),
    { selector: ({ service, unit, address }) => [service, unit, address], comparator: sharesOne },
  ),
});

function sharesOne(a: readonly string[], b: readonly string[]): boolean {
  return a.some((text) => b.includes(text));
}

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
      endpoints: fc.option(fc.array(address, { minLength: 1 }), { nil: undefined }),
    }),
    cilium: fc.option(cilium, { nil: undefined }),
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
    ...(
      [
        ["a unit that is a path", { unit: "../x.service" }, "no name of a service unit"],
        ["a unit of another kind", { unit: "x.socket" }, "no name of a service unit"],
        ["a service that is no name", { service: "a/b" }, "a/b"],
        ["an endpoint outside the range", { address: "10.42.12.1" }, "not inside 10.42.11.0/24"],
      ] as const
    ).map(
      ([what, spoilt, words]) =>
        [
          `${what}, of Cilium,`,
          (m: Message) => {
            const whole = { service: "a", spiffeId: "b", unit: "a.service", address: "10.42.11.7" };
            m.cilium = {
              etcd: { members: ["http://10.77.0.10:2379"], ca: "", certificate: "", key: "" },
              range: "10.42.11.0/24",
              ranges: "10.42.0.0/16",
              endpoints: [{ ...whole, ports: [], rules: [], ...spoilt }],
            };
          },
          words,
        ] as [string, (m: Message) => void, string],
    ),
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
