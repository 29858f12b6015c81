import { describe, expect, it } from "@jest/globals";
import type { DesiredContent, IngressRule } from "../model/desired.ts";
import {
  parseKernelRevision,
  parseListedTable,
  renderGuardsOnly,
  renderNftables,
  renderPreview,
  renderRemoval,
  renderTracking,
  rulesetFingerprint,
} from "./nftables.ts";

const digest = "ab".repeat(32);
const http = { protocol: "tcp", from: 8080, to: 8080 } as const;
const origin = { policy: "web-to-api", file: "mesh.yaml", line: 12 };
const fromWeb: IngressRule = {
  service: "api",
  port: http,
  action: "allow",
  mode: "enforce",
  from: "web",
  source: "10.77.0.11",
  strength: "address+uid",
  origin,
};
const api = {
  service: "api",
  node: "api1",
  address: "10.77.0.12",
  portName: "http",
  port: http,
  user: "api",
  mode: "enforce",
} as const;
const content: DesiredContent = {
  mesh: "shop",
  trustDomain: "mesh.internal",
  node: "api1",
  address: "10.77.0.12",
  identity: {
    spireServerAddress: "10.77.0.10",
    spireServerPort: 8081,
    workloads: [{ service: "api", spiffeId: "spiffe://mesh.internal/api", user: "api", unit: undefined }],
  },
  policy: {
    enforcement: "nftables",
    services: [api],
    mesh: [api],
    ingress: [fromWeb],
    egress: [
      {
        service: "api",
        user: "api",
        to: "198.51.100.0/24",
        destination: "198.51.100.0/24",
        port: undefined,
        action: "allow",
        mode: "enforce",
        origin,
      },
    ],
    forward: [],
    guard: {
      admin: ["192.0.2.0/28"],
      ports: [{ protocol: "tcp", from: 22, to: 22 }],
      coordinatorAddress: "10.77.0.10",
      coordinatorPorts: [7443, 7444, 8081].map(
        (port) => ({ protocol: "tcp", from: port, to: port }) as const,
      ),
      isCoordinator: false,
      nodeAddresses: [],
      upstreams: [],
      banned: [],
    },
    egressDefault: "deny",
    mode: "enforce",
    boot: "guards-only",
  },
  dns: { zone: "mesh.internal", mode: "auto", upstreams: [], records: [] },
};
const uids = new Map([["api", 1002]]);
const render = (changes: Partial<DesiredContent["policy"]> = {}) =>
  renderNftables({
    content: { ...content, policy: { ...content.policy, ...changes } },
    revision: 7,
    digest,
    uids,
  });

describe("the script", () => {
  it("is the same for the same content, whatever the order of its lists", () => {
    const other = { ...fromWeb, source: "10.77.0.13", from: "shop" };
    expect(render({ ingress: [other, fromWeb] })).toBe(render({ ingress: [fromWeb, other] }));
  });

  it("never deletes the table, and empties before it fills", () => {
    const lines = render().split("\n");
    // policy sets alone, each made anew at once
    const deleted = lines.flatMap((line, index) => (/^(delete|destroy) /.test(line) ? [index] : []));
    for (const index of deleted) {
      const [, name] = /^delete set inet weft ([ab]_\w+)$/.exec(lines[index] ?? "") ?? [];
      expect(lines[index + 1]).toMatch(new RegExp(`^add set inet weft ${name} `));
    }
    expect(lines.indexOf("flush table inet weft")).toBeGreaterThan(
      lines.findLastIndex((line) => line.startsWith("add chain")),
    );
    expect(lines.findIndex((line) => line.startsWith("add rule"))).toBeGreaterThan(
      lines.findLastIndex((line) => line.startsWith("flush")),
    );
    expect(
      lines.filter((line) => /flush set inet weft (seen|denied|audited|enrolling|glass)/.test(line)),
    ).toEqual([]);
  });

  it("has no rule that both records and decides, but for the rate of enrolment, which only ever admits", () => {
    const mixed = render()
      .split("\n")
      .filter((line) => /\bupdate @/.test(line) && /\b(accept|reject|drop|goto|jump|return)\b/.test(line));
    expect(mixed).toHaveLength(2);
    for (const line of mixed)
      expect(line).toMatch(/^add rule inet weft [ab]_guard_enrolment update @enrolling.* accept$/);
  });

  it("has an IPv6 twin for every IPv4 rule", () => {
    const rules = render()
      .split("\n")
      // ARP is no business of this table, neighbour discovery is
      .filter((line) => line.startsWith("add rule") && !line.includes("icmpv6 type"))
      // endpoints of Cilium have no IPv6 here
      .filter((line) => !line.includes("_endpoints4 "));
    const four = rules.filter((line) => /\bip [sd]addr\b/.test(line)).length;
    const six = rules.filter((line) => /\bip6 [sd]addr\b/.test(line)).length;
    expect(four).toBe(six);
    for (const line of rules) if (/\bip [sd]addr\b/.test(line)) expect(line).not.toMatch(/@\w+6\b/);
  });

  it("knows this node's endpoints of Cilium by address and link, and forgets them where nothing can be trusted", () => {
    const endpoints = ["10.42.1.6", "10.42.1.5"];
    const withEndpoints = { ...content, policy: { ...content.policy, endpoints } };
    const script = renderNftables({ content: withEndpoints, revision: 7, digest, uids: new Map() });
    expect(script).toContain(
      'add element inet weft a_endpoints4 {\n  10.42.1.5 comment "endpoint",\n  10.42.1.6 comment "endpoint"\n}',
    );
    for (const line of script.split("\n").filter((rule) => rule.includes("@a_endpoints4")))
      expect(line).toContain('iifname "lxc*"');
    const chain = script.split("\n").filter((line) => line.startsWith("add rule inet weft a_judge_peer "));
    const [deny, endpoint] = ["@a_forward_deny4", "@a_endpoints4"].map((set) =>
      chain.findIndex((line) => line.includes(set)),
    );
    expect(deny).toBeGreaterThanOrEqual(0);
    expect(endpoint).toBeGreaterThan(deny ?? 0);
    expect(renderGuardsOnly(withEndpoints)).not.toContain("add element inet weft a_endpoints4");
  });

  it("gives root and users that do not exist nothing", () => {
    for (const uid of [undefined, 0, -1, 1.5, 2 ** 32 - 1]) {
      const known = uid === undefined ? new Map<string, number>() : new Map([["api", uid]]);
      const script = renderNftables({ content, revision: 7, digest, uids: known });
      expect(script).not.toMatch(/add element inet weft [ab]_(out|outside)_/);
    }
    expect(render()).toContain(
      'add element inet weft a_outside_allow_all4 {\n  1002 . 198.51.100.0/24 comment "web-to-api mesh.yaml:12"\n}',
    );
  });

  it("refuses what the kernel could not carry or nft could misread", () => {
    const bad = { content, revision: 7, digest, uids };
    expect(() => renderNftables({ ...bad, revision: 0 })).toThrow("no revision");
    expect(() => renderNftables({ ...bad, revision: 2 ** 32 })).toThrow("no revision");
    expect(() => renderNftables({ ...bad, digest: 'x" }' })).toThrow("no SHA-256");
    expect(() => render({ ingress: [{ ...fromWeb, source: "10.0.0.1 } ; flush ruleset" }] })).toThrow(
      "no address",
    );
    const hostile = render({ services: [{ ...api, service: 'a" }\nflush ruleset\n#', portName: "\u0000" }] });
    expect(hostile).not.toContain("\nflush ruleset");
  });

  it("names the coordinator's user on the coordinator's machine, as the one who looks at guard ports", () => {
    const guard = (isCoordinator: boolean) => ({ ...content.policy.guard, isCoordinator });
    const found = new Map([["weft", 998]]);
    const script = (isCoordinator: boolean) =>
      renderNftables({
        content: { ...content, policy: { ...content.policy, guard: guard(isCoordinator) } },
        revision: 7,
        digest,
        uids: found,
      });
    expect(script(true)).toContain('add element inet weft a_prober_uids {\n  998 comment "coordinator"\n}');
    expect(script(false)).not.toContain("add element inet weft a_prober_uids");
    // towards others only: its own machine's policy is what a look at itself is about
    expect(script(true).match(/@a_prober_uids oif != "lo" .* accept/g)).toHaveLength(2);
  });

  it("of guards only has no allowance, of tracking no refusal, and neither a revision", () => {
    const guards = renderGuardsOnly({
      ...content,
      policy: { ...content.policy, services: [{ ...api, mode: "audit" }] },
    });
    expect(guards).not.toMatch(/add element inet weft [ab]_(in_|out_|outside_allow|forward_|tcp_audit)/);
    expect(guards).toContain("add element inet weft a_tcp_ports");
    expect(guards).toContain('add element inet weft rev {\n  0 comment "guards-only"\n}');
    const tracking = renderTracking(content);
    expect(tracking).not.toMatch(
      /add element inet weft [ab]_(tcp_|udp_|mesh|coordinator_|enrolment_|outside_uids)/,
    );
  });

  it("of the removal works whether the table is there or not", () => {
    expect(renderRemoval()).toBe("add table inet weft\ndelete table inet weft\n");
  });
});

describe("the preview", () => {
  it("names users, and holds what differs from node to node", () => {
    expect(renderPreview(content)).toContain(
      'set outside_allow_all4\n  uid:api . 198.51.100.0/24 comment "web-to-api mesh.yaml:12"\n',
    );
    expect(renderPreview(content)).not.toContain("add rule");
  });
});

describe("what the kernel says", () => {
  const list = (...items: unknown[]) =>
    JSON.stringify({ nftables: [{ metainfo: { version: "1.0.6" } }, ...items] });
  const rev = (elem: unknown[]) => ({ set: { name: "rev", table: "weft", handle: 3, elem } });

  it("is a revision only with a digest", () => {
    const element = (comment: string) => ({ elem: { val: 7, comment } });
    expect(parseKernelRevision(list(rev([element(`digest=${digest}`)])))).toEqual({ revision: 7, digest });
    expect(parseKernelRevision(list(rev([element("guards-only")])))).toBeUndefined();
    expect(parseKernelRevision(list(rev([0])))).toBeUndefined();
    expect(parseKernelRevision(list())).toBeUndefined();
    for (const junk of ["", "null", "[]", "{", '{"nftables":5}'])
      expect(parseKernelRevision(junk)).toBeUndefined();
  });

  it("has a fingerprint of what is enforced, not of what passes", () => {
    const rule = (handle: number, verdict: string) => ({
      rule: { chain: "c", handle, expr: [{ [verdict]: null }] },
    });
    const set = (handle: number, elem: unknown[]) => ({ set: { name: "s", handle, elem } });
    const record = (elem: unknown[]) => ({ set: { name: "d", flags: ["timeout", "dynamic"], elem } });
    const base = rulesetFingerprint(list(set(1, [5, 6]), record([1]), rule(2, "accept"), rule(3, "drop")));
    expect(rulesetFingerprint(list(record([9]), set(8, [6, 5]), rule(9, "accept"), rule(10, "drop")))).toBe(
      base,
    );
    expect(
      rulesetFingerprint(list(set(1, [5, 6]), record([1]), rule(2, "drop"), rule(3, "accept"))),
    ).not.toBe(base);
    expect(rulesetFingerprint(list(set(1, [5]), record([1]), rule(2, "accept"), rule(3, "drop")))).not.toBe(
      base,
    );
    expect(rulesetFingerprint(list(set(1, [5, 6]), record([1]), rule(2, "accept")))).not.toBe(base);
  });

  it("does not count what the kernel put into a set, whether nft prints its flag in a list or alone", () => {
    const memory = (flags: unknown, elem: unknown[]) => list({ set: { name: "memory", flags, elem } });
    const print = (flags: unknown, elem: unknown[]) => rulesetFingerprint(memory(flags, elem));
    expect(print("timeout", [1])).toBe(print(["timeout"], []));
    expect(print("interval", [1])).not.toBe(print(["interval"], []));
  });

  it("tells slots apart by what stands in them, and the rest by what is in no slot", () => {
    const table = (slot: "a" | "b", more: unknown[] = []) => {
      const other = slot === "a" ? "b" : "a";
      const items = [
        { chain: { name: "input", hook: "input", prio: 0 } },
        { rule: { chain: "input", expr: [{ goto: { target: `${slot}_input` } }] } },
        { rule: { chain: `${slot}_input`, expr: [{ match: { right: `@${slot}_nodes4` } }] } },
        { set: { name: `${slot}_nodes4`, elem: ["10.0.0.1"] } },
        { set: { name: `${other}_nodes4` } },
        { set: { name: "rev", elem: [slot] } },
      ];
      return parseListedTable(list(...items, ...more));
    };
    const [a, b] = [table("a"), table("b")];
    expect([a.slots.a, a.slots.b, a.frame]).toEqual([b.slots.b, b.slots.a, b.frame]);
    expect(a.slots.a).not.toBe(a.slots.b);
    expect(a.fingerprint).not.toBe(b.fingerprint);
    expect(table("a", [{ chain: { name: "evil", hook: "input", prio: -1 } }]).frame).not.toBe(a.frame);
    expect(table("a", [{ rule: { chain: "b_input", expr: [] } }]).slots.b).not.toBe(a.slots.b);
  });

  it("reads protocols alike with and without /etc/protocols", () => {
    const set = (protocol: string | number) =>
      list({ set: { name: "s", elem: [{ concat: [protocol, 80] }] } });
    expect(rulesetFingerprint(set("tcp"))).toBe(rulesetFingerprint(set(6)));
    expect(rulesetFingerprint(set("tcp"))).not.toBe(rulesetFingerprint(set("udp")));
  });
});
