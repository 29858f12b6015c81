// The policy map of an endpoint, as the datapath reads it.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type EntryWords, policyMapText } from "../../../../test/support/cilium/policy-entries.ts";
import { type AskedTraffic, entryText, judgeMap, parsePolicyMap } from "./policy-map.ts";

const tcp = 6;
const web = 8061;

function said(entries: readonly EntryWords[], asked: Partial<AskedTraffic> = {}) {
  const { verdict, entry } = judgeMap(parsePolicyMap(policyMapText(entries)), {
    direction: "ingress",
    identity: web,
    protocol: "tcp",
    port: 8080,
    ...asked,
  });
  return entry === undefined ? verdict : `${verdict} by ${entryText(entry)}`;
}

describe("a policy map", () => {
  it("lets pass what an entry of that identity, direction, protocol and port allows, and nothing else", () => {
    const map = [{ identity: web, protocol: tcp, port: 8080 }];
    expect(said(map)).toBe("allow by allow identity 8061, 8080/tcp");
    for (const other of [
      { identity: 36880 },
      { port: 8081 },
      { protocol: "udp" },
      { direction: "egress" },
    ] as const)
      expect(said(map, other)).toBe("deny");
    expect(said([])).toBe("deny");
  });

  it("takes identity 0 for any, no port for every one, and no protocol for all", () => {
    expect(said([{ protocol: tcp, port: 8080 }])).toBe("allow by allow any identity, 8080/tcp");
    expect(said([{ identity: web, protocol: tcp }])).toBe("allow by allow identity 8061, tcp");
    expect(said([{ identity: web }])).toBe("allow by allow identity 8061, everything");
    expect(said([{}], { protocol: "udp", port: 53 })).toBe("allow by allow any identity, everything");
  });

  it("compares as many bits of a port as the entry has", () => {
    const map = [{ identity: web, protocol: tcp, port: 8080, portBits: 12 }];
    expect(said(map, { port: 8095 })).toBe("allow by allow identity 8061, 8080-8095/tcp");
    expect([8079, 8096].map((port) => said(map, { port }))).toEqual(["deny", "deny"]);
  });

  it("of 1.19 lets the entry of higher precedence decide, then the longer one, then that of the identity", () => {
    const own = { identity: web, precedence: 256 };
    const any = { protocol: tcp, port: 8080, precedence: 256 };
    expect(said([own, any])).toBe("allow by allow any identity, 8080/tcp");
    expect(said([{ ...own, precedence: 257 }, any])).toBe("allow by allow identity 8061, everything");
    const denies = { denies: true, precedence: 511 };
    expect(said([{ ...own, ...denies }, any])).toBe("deny by deny identity 8061, everything");
    expect(said([own, { ...any, ...denies }])).toBe("deny by deny any identity, 8080/tcp");
    // what 1.18 refuses: an allow above a deny
    expect(
      said([
        { ...own, precedence: 1024 },
        { ...any, ...denies },
      ]),
    ).toMatch(/^allow by allow identity 8061/);
    expect(said([{ identity: web, precedence: 256 }, { precedence: 256 }])).toMatch(/identity 8061/);
  });

  it("refuses by a deny of either lookup, and by one that is longer than what allows", () => {
    expect(said([{ identity: web, protocol: tcp, port: 8080 }, { denies: true }])).toBe(
      "deny by deny any identity, everything",
    );
    const port = { identity: web, protocol: tcp, port: 8080, denies: true };
    expect(said([{ identity: web }, port])).toBe("deny by deny identity 8061, 8080/tcp");
    // the datapath takes the longest of an identity: an agent leaves no longer allow below a deny
    expect(
      said([
        { identity: web, denies: true },
        { ...port, denies: false },
      ]),
    ).toMatch(/^allow/);
  });

  it("knows a ping by its type", () => {
    const echo = { identity: web, protocol: 1, port: 8 };
    expect(said([echo], { protocol: "icmp", port: 0 })).toMatch(/^allow/);
    expect(said([{ ...echo, port: 3 }], { protocol: "icmp", port: 0 })).toBe("deny");
  });

  it("is not judged where an entry demands a proxy or authentication", () => {
    const allowed = { identity: web, protocol: tcp, port: 8080 };
    expect(said([{ ...allowed, proxyPort: 4242 }])).toMatch(/^unknown/);
    expect(said([{ ...allowed, auth: 1 }])).toMatch(/^unknown/);
    expect(said([allowed, { auth: 0x81 }])).toMatch(/^unknown/);
    // that somebody asked for no authentication is no demand
    expect(said([{ ...allowed, auth: 0x80 }])).toMatch(/^allow/);
  });

  it("of another form is an error, not a guess", () => {
    const good = policyMapText([{ identity: web, protocol: tcp, port: 8080 }]);
    const wrong = [
      "",
      "{}",
      "Error: Failed to open map",
      good.replace("ProxyPortPriority", "Rank"),
      good.replace('"Prefixlen": 64', '"Prefixlen": 65'),
      good.replace('"Prefixlen": 64', '"Prefixlen": 43'),
      good.replace('"TrafficDirection": 0', '"TrafficDirection": 2'),
      good.replace('"Flags": 192', '"Flags": "Allow"'),
      good.replace('"Key"', '"key"'),
    ];
    expect(new Set([good, ...wrong]).size).toBe(wrong.length + 1);
    for (const text of wrong) expect(() => parsePolicyMap(text)).toThrow(/not understood/);
  });

  it("says the same in whatever order its entries are listed", () => {
    const what = fc.constantFrom<EntryWords>(
      {},
      { protocol: tcp },
      ...[10, 14, 16].map((portBits) => ({ protocol: tcp, port: 8080, portBits })),
    );
    const entry = fc
      .tuple(what, fc.constantFrom(0, web), fc.boolean())
      .map(([words, identity, denies]) => ({ ...words, identity, denies }));
    const selector = ({ denies: _, ...key }: EntryWords) => JSON.stringify(key);
    fc.assert(
      fc.property(
        fc.uniqueArray(entry, { selector, maxLength: 8 }),
        fc.constantFrom(8080, 8081, 9000),
        (map, port) => {
          expect(said(map.toReversed(), { port })).toBe(said(map, { port }));
        },
      ),
    );
  });
});
