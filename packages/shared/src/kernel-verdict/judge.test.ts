import { describe, expect, it } from "@jest/globals";
import { attributionOf } from "./attribution.ts";
import { type HookVerdict, judgeHook } from "./judge.ts";
import type { Packet } from "./packet.ts";
import { parseRuleset } from "./ruleset.ts";

const packet: Packet = {
  hook: "input",
  source: "10.77.0.9",
  destination: "10.77.0.12",
  protocol: "tcp",
  port: 8080,
  uid: undefined,
  local: false,
  publishedPort: undefined,
};

const match = (left: unknown, right: unknown, op = "==") => ({ match: { op, left, right } });
const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
const dport = payload("tcp", "dport");
const saddr = payload("ip", "saddr");

interface Parts {
  readonly chains: Readonly<Record<string, readonly (readonly unknown[])[]>>;
  readonly sets?: Readonly<Record<string, { elem?: unknown[]; size?: number; map?: string }>>;
  readonly table?: string;
  readonly policy?: string;
}

/** Base chain "input"; the other chains are called by it. */
function ruleset({ chains, sets = {}, table = "weft", policy = "accept" }: Parts): unknown[] {
  const own = { family: "inet", table };
  return [
    { table: { family: "inet", name: table } },
    ...Object.keys(chains).map((name) => ({
      chain:
        name === "input"
          ? { ...own, name, type: "filter", hook: "input", prio: 0, policy }
          : { ...own, name },
    })),
    ...Object.entries(sets).map(([name, set]) => ({ set: { ...own, name, ...set } })),
    ...Object.entries(chains).flatMap(([chain, rules]) =>
      rules.map((expr, handle) => ({ rule: { ...own, chain, handle, expr } })),
    ),
  ];
}

function judged(parts: Parts | readonly Parts[], asked: Partial<Packet> = {}): HookVerdict {
  const list = Array.isArray(parts) ? (parts as readonly Parts[]) : [parts as Parts];
  const text = JSON.stringify({ nftables: list.flatMap(ruleset) });
  return judgeHook(parseRuleset(text), "inet weft", { ...packet, ...asked });
}

const verdict = (...rules: (readonly unknown[])[]) => judged({ chains: { input: rules } }).verdict;
const drop = { drop: null };
const accept = { accept: null };

describe("a chain", () => {
  it("takes its first verdict, and its policy without one", () => {
    expect(verdict([accept], [drop])).toBe("accept");
    expect(verdict([match(dport, 22), drop])).toBe("accept");
    expect(judged({ chains: { input: [] }, policy: "drop" }).verdict).toBe("drop");
  });

  it("comes back from a jump, and not from a goto", () => {
    const chains = (kind: "jump" | "goto") => ({
      input: [[{ [kind]: { target: "inner" } }], [drop]],
      inner: [[match(dport, 1), drop]],
    });
    expect(judged({ chains: chains("jump") }).verdict).toBe("drop");
    expect(judged({ chains: chains("goto") }).verdict).toBe("accept");
    const back = { input: [[{ jump: { target: "inner" } }], [drop]], inner: [[{ return: null }], [accept]] };
    expect(judged({ chains: back }).verdict).toBe("drop");
  });

  it("that is not there, or leads in a circle, is unknown", () => {
    expect(verdict([{ goto: { target: "gone" } }])).toBe("unknown");
    const circle = { input: [[{ jump: { target: "a" } }]], a: [[{ jump: { target: "a" } }]] };
    expect(judged({ chains: circle }).verdict).toBe("unknown");
  });
});

describe("a match", () => {
  it.each([
    [match(dport, 8080), true],
    [match(dport, 8080, "!="), false],
    [match(dport, { range: [8000, 8100] }), true],
    [match(dport, { set: [22, { range: [8080, 8081] }] }), true],
    [match(dport, 9000, "<"), true],
    [match(saddr, { prefix: { addr: "10.77.0.8", len: 29 } }), true],
    [match(saddr, "10.77.0.10", "!="), true],
    // what is not in the packet matches nothing, not even "is not"
    [match(payload("ip6", "saddr"), "fd77::1", "!="), false],
    [match(payload("udp", "dport"), 8080, "!="), false],
    [match({ meta: { key: "l4proto" } }, { set: ["tcp", "udp"] }), true],
    [match({ meta: { key: "l4proto" } }, 17), false],
    [match({ ct: { key: "state" } }, ["established", "related"], "in"), false],
    [match({ ct: { key: "state" } }, ["new", "untracked"], "in"), true],
    [match({ meta: { key: "iif" } }, "lo"), false],
    [match({ "&": [payload("tcp", "flags"), ["fin", "syn", "rst", "ack"]] }, "syn", "!="), false],
  ])("%j: %s", (statement, matches) => {
    expect(verdict([statement, drop])).toBe(matches ? "drop" : "accept");
  });

  it("that this release does not know decides only where it makes no difference", () => {
    const mark = match({ meta: { key: "mark" } }, 7);
    expect(verdict([mark, drop])).toBe("unknown");
    expect(verdict([mark, drop], [drop])).toBe("drop");
    expect(verdict([mark, accept])).toBe("accept");
    expect(verdict([mark, match(dport, 1), drop])).toBe("accept");
    expect(verdict([{ xt: { type: "match", name: "u32" } }])).toBe("unknown");
    expect(verdict([null])).toBe("unknown");
    expect(verdict([match(payload("tcp", "sport"), 40_000), drop])).toBe("unknown");
    expect(verdict([match(payload("tcp", "sport"), 67), drop])).toBe("accept");
  });
});

describe("the link of an endpoint", () => {
  const byLink = (name: string) => match({ meta: { key: "iifname" } }, name);
  const of = (source: string, ...statement: unknown[]) =>
    judged(
      {
        chains: { input: [[...statement, drop]] },
        sets: { b_endpoints4: { elem: [{ elem: { val: "10.42.1.5", comment: "endpoint" } }] } },
      },
      { source },
    ).verdict;

  it("is known by the endpoint's address, but for what follows its prefix", () => {
    expect(of("10.42.1.5", byLink("lxc*"))).toBe("drop");
    expect(of("10.42.1.5", byLink("lx*"))).toBe("drop");
    expect(of("10.42.1.5", byLink("lxc4b5e57f6eb2f"))).toBe("unknown");
    expect(of("10.42.1.5", byLink("lxc4*"))).toBe("unknown");
    for (const other of ["eth*", "eth0", "lo", ""]) expect(of("10.42.1.5", byLink(other))).toBe("accept");
  });

  it("is not known of anybody else, and decides where it makes no difference", () => {
    expect(of("10.42.1.6", byLink("lxc*"))).toBe("unknown");
    expect(of("10.42.1.6", byLink("lo"))).toBe("accept");
    expect(of("10.42.1.6", match(saddr, "@b_endpoints4"), byLink("lxc*"))).toBe("accept");
  });
});

describe("sets", () => {
  const pair = { concat: [dport, saddr] };
  const sets = {
    allow: {
      elem: [
        {
          elem: {
            val: { concat: [{ range: [8000, 8090] }, { prefix: { addr: "10.77.0.0", len: 28 } }] },
            comment: "web-to-api mesh.yaml:12",
          },
        },
      ],
    },
  };

  it("are looked up with ranges and prefixes, and say which policy spoke", () => {
    const found = judged({ chains: { input: [[match(pair, "@allow"), accept], [drop]] }, sets });
    expect(found.verdict).toBe("accept");
    expect(attributionOf(found)).toEqual({
      kind: "policy",
      name: "web-to-api",
      file: "mesh.yaml",
      line: 12,
      strength: "address",
    });
    const other = judged(
      { chains: { input: [[match(pair, "@allow"), accept], [drop]] }, sets },
      { port: 9000 },
    );
    expect(attributionOf(other)).toMatchObject({ kind: "default", name: "" });
    expect(other.verdict).toBe("drop");
  });

  it("that are missing are unknown", () => {
    expect(verdict([match(dport, "@gone"), drop])).toBe("unknown");
  });

  it("that record decide nothing, unless they are full and end their rule", () => {
    const update = { set: { op: "update", elem: saddr, set: "@seen" } };
    const filled = (elem: unknown[]) => ({ seen: { elem, size: 1 } });
    const chains = { input: [[update, drop]] };
    expect(judged({ chains, sets: filled([]) }).verdict).toBe("drop");
    expect(judged({ chains, sets: filled(["10.77.0.1"]) }).verdict).toBe("accept");
    expect(judged({ chains, sets: filled(["10.77.0.9"]) }).verdict).toBe("drop");
  });

  it("lead to verdicts as maps", () => {
    const vmap = { vmap: { key: dport, data: "@ways" } };
    const ways = {
      ways: {
        map: "verdict",
        elem: [
          [8080, { goto: { target: "end" } }],
          [22, accept],
        ],
      },
    };
    expect(judged({ chains: { input: [[vmap]], end: [[drop]] }, sets: ways }).verdict).toBe("drop");
    const anonymous = { vmap: { key: dport, data: { set: [[8080, { drop: null }]] } } };
    expect(verdict([anonymous])).toBe("drop");
    expect(judged({ chains: { input: [[anonymous]] } }, { port: 22 }).verdict).toBe("accept");
  });

  it("of uids make an answer rest on the uid", () => {
    const uid = { concat: [{ meta: { key: "skuid" } }, payload("ip", "daddr")] };
    const sets = {
      out: { elem: [{ elem: { val: { concat: [998, "10.77.0.12"] }, comment: "p m.yaml:1" } }] },
    };
    const text = JSON.stringify({
      nftables: ruleset({ chains: { input: [[match(uid, "@out"), accept], [drop]] }, sets }),
    }).replace('"hook":"input"', '"hook":"output"');
    const asked = { ...packet, hook: "output" as const, uid: 998 };
    const found = judgeHook(parseRuleset(text), "inet weft", asked);
    expect(attributionOf(found)).toMatchObject({ name: "p", strength: "address+uid" });
    expect(judgeHook(parseRuleset(text), "inet weft", { ...asked, uid: undefined }).verdict).toBe("drop");
  });
});

describe("other tables at the hook", () => {
  const ours: Parts = { chains: { input: [[accept]] } };

  it("refuse whatever ours says, and are named", () => {
    const found = judged([ours, { table: "ufw", chains: { input: [[match(dport, 8080), drop]] } }]);
    expect(found.verdict).toBe("drop");
    expect(found.own?.verdict).toBe("accept");
    expect(attributionOf(found)).toMatchObject({ kind: "other-table", name: "inet ufw" });
  });

  it("cannot open what ours refuses", () => {
    const found = judged([{ chains: { input: [[drop]] } }, { table: "open", chains: { input: [[accept]] } }]);
    expect(found.verdict).toBe("drop");
    expect(attributionOf(found).kind).toBe("default");
  });

  it("that cannot be read make it unknown, and ours is still said", () => {
    const found = judged([
      ours,
      { table: "odd", chains: { input: [[match({ meta: { key: "mark" } }, 1), drop]] } },
    ]);
    expect(found.verdict).toBe("unknown");
    expect(found.own?.verdict).toBe("accept");
    expect(found.others).toMatchObject([{ table: "inet odd", verdict: "unknown" }]);
  });

  it("are all there is when ours is gone", () => {
    const found = judged({ table: "other", chains: { input: [] } });
    expect(found.verdict).toBe("accept");
    expect(attributionOf(found).kind).toBe("nothing-loaded");
  });
});
