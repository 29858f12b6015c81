// Whatever a node is given over the wire about an endpoint's rules, the file it makes of it is one that it would write itself:
// inside the schema, and loaded by an agent that ends over every other type. 300 endpoints; WEFT_LONG=1: 10,000.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { refusalsOf } from "../../packages/shared/src/cilium-file/policy-file.ts";
import * as wire from "../../packages/shared/src/gen/weft/v1/desired.ts";
import type { CiliumPeer, CiliumRule } from "../../packages/shared/src/model/cilium-policy.ts";
import type { DesiredCilium } from "../../packages/shared/src/model/desired-cilium.ts";
import { renderCiliumPolicy } from "../../packages/shared/src/render/cilium-policy.ts";
import { decodeCilium, encodeCilium } from "../../packages/shared/src/wire/cilium-desired-codec.ts";
import { FakePolicyEngine } from "../support/cilium/fake-policy-engine.ts";
import "../support/property-seed.ts";

const endpoints = process.env["WEFT_LONG"] === "1" ? 10_000 : 300;

// as it leaves the coordinator: texts on the wire are UTF-8
const odd = [...'\0\n\t\u007f\u0085\u2028\ufeff\ufffe\uffff\u{10ffff}"\\u%#{:', "\ud83d"];
const character = fc.oneof(
  fc.constantFrom(...odd),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
);
const anyText = fc.string({ unit: character, maxLength: 12 });
const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/);
const spiffeId = fc.tuple(label, label).map(([domain, path]) => `spiffe://${domain}/${path}`);
const masked = (octets: readonly number[], bits: number) => {
  const whole = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const start = whole - (whole % 2 ** (32 - bits));
  return `${[24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join(".")}/${bits}`;
};
const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
const range = fc.oneof(
  fc.tuple(octets, fc.integer({ min: 0, max: 32 })).map(([four, bits]) => masked(four, bits)),
  fc.constantFrom("::/0", "fd77::/64", "2001:db8::/32", "fd77::1"),
);
const peer: fc.Arbitrary<CiliumPeer> = fc.oneof(
  fc.record({ kind: fc.constant("service" as const), service: label, spiffeId }),
  fc.record({
    kind: fc.constant("node" as const),
    node: label,
    address: fc.oneof(
      octets.map((four) => four.join(".")),
      fc.constant("fd77::9"),
    ),
  }),
  fc.constant<CiliumPeer>({ kind: "host" }),
  fc.record({ kind: fc.constant("range" as const), cidr: range, except: fc.array(range, { maxLength: 3 }) }),
);
const port = fc
  .tuple(fc.constantFrom("tcp" as const, "udp" as const), fc.integer({ min: 1, max: 65_535 }), fc.nat(2_000))
  .map(([protocol, from, more]) => ({ protocol, from, to: Math.min(from + more, 65_535) }));
const rule: fc.Arbitrary<CiliumRule> = fc.record({
  direction: fc.constantFrom("ingress", "egress"),
  action: fc.constantFrom("allow", "deny"),
  peer,
  ports: fc.option(fc.array(port, { minLength: 1, maxLength: 60 }), { nil: undefined }),
  origin: fc.record({ policy: fc.oneof(fc.constant(""), anyText), file: anyText, line: fc.nat(9_999) }),
  because: anyText,
});

it(`rules of ${endpoints} endpoints become files that an agent loads`, () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-policies-"));
  try {
    fc.assert(
      fc.property(label, spiffeId, fc.array(rule, { maxLength: 8 }), (service, id, rules) => {
        const sent: DesiredCilium = {
          etcd: {
            members: ["http://10.77.0.10:2379"],
            ca: undefined,
            certificate: undefined,
            key: undefined,
          },
          range: "10.42.1.0/24",
          ranges: "10.42.0.0/16",
          endpoints: [
            { service, spiffeId: id, unit: `${service}.service`, address: "10.42.1.9", ports: [], rules },
          ],
        };
        const bytes = wire.DesiredCilium.encode(encodeCilium(sent)).finish();
        const [endpoint] = decodeCilium(wire.DesiredCilium.decode(bytes)).endpoints;
        if (endpoint === undefined) throw new TypeError("it was lost on the wire");
        const file = renderCiliumPolicy({ mesh: "demo", node: "api1", ...endpoint });
        expect({ file, refusals: refusalsOf(file) }).toEqual({ file, refusals: [] });
        writeFileSync(join(directory, file.name), file.text);
        const engine = new FakePolicyEngine(directory, () => 0);
        engine.start();
        expect([...engine.loaded.keys()]).toEqual([file.name]);
        rmSync(join(directory, file.name));
      }),
      { numRuns: endpoints },
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 3_600_000);
