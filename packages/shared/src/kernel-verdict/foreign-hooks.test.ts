// Whose chains stand beside Weft's, and what is said of them: from the JSON that nft 1.0.6 prints.
import { describe, expect, it } from "@jest/globals";
import { foreignHooks, hookPlace, mostHooks } from "./foreign-hooks.ts";
import { foreignRefusals } from "./foreign-refusals.ts";
import type { Packet } from "./packet.ts";
import { parseRuleset } from "./ruleset.ts";

type Item = Readonly<Record<string, unknown>>;
const table = (family: string, name: string): Item => ({ table: { family, name } });
const base = (
  family: string,
  name: string,
  chain: string,
  [type, hook, prio, policy]: readonly [string, string, number, string],
): Item => ({ chain: { family, table: name, name: chain, type, hook, prio, policy } });
const chain = (family: string, name: string, own: string): Item => ({
  chain: { family, table: name, name: own },
});
const rule = (family: string, name: string, own: string, ...expr: readonly unknown[]): Item => ({
  rule: { family, table: name, chain: own, handle: 1, expr },
});
const rules = (...items: readonly Item[]) => parseRuleset(JSON.stringify({ nftables: items }));
const port = (right: number) => ({
  match: { op: "==", left: { payload: { protocol: "tcp", field: "dport" } }, right },
});
const jump = (target: string) => ({ jump: { target } });

const dropping = rules(
  table("inet", "weft"),
  base("inet", "weft", "input", ["filter", "input", 0, "accept"]),
  table("inet", "filter"),
  base("inet", "filter", "input", ["filter", "input", 0, "drop"]),
  rule("inet", "filter", "input", port(22), { accept: null }),
);

describe("foreignHooks", () => {
  it("finds a chain that drops by policy, and leaves Weft's out", () => {
    const hooks = foreignHooks(dropping, []);
    expect(hooks).toHaveLength(1);
    expect(hooks.map(hookPlace)).toEqual(["table inet filter, chain input (input, priority 0, policy drop)"]);
    expect(hooks[0]).toMatchObject({ refuses: true, maker: "" });
    expect(hooks[0]?.effect).toBe(
      "It judges beside Weft and drops what none of its rules accepts, so it may refuse what Weft allows: " +
        "a drop anywhere is final. An accept there does not override Weft.",
    );
  });

  it("follows jumps, gotos and maps to what refuses, and knows makers by their chains", () => {
    const hooks = foreignHooks(
      rules(
        table("ip", "filter"),
        base("ip", "filter", "INPUT", ["filter", "input", 0, "accept"]),
        chain("ip", "filter", "ufw-before-input"),
        chain("ip", "filter", "ufw-end"),
        rule("ip", "filter", "INPUT", jump("ufw-before-input")),
        rule("ip", "filter", "ufw-before-input", {
          vmap: { key: 1, data: { set: [[1, { goto: { target: "ufw-end" } }]] } },
        }),
        rule("ip", "filter", "ufw-end", { drop: null }),
        base("ip", "filter", "FORWARD", ["filter", "forward", 0, "accept"]),
        chain("ip", "filter", "DOCKER-USER"),
        rule("ip", "filter", "FORWARD", jump("DOCKER-USER")),
        rule("ip", "filter", "DOCKER-USER", { xt: null }),
        base("ip", "filter", "OUTPUT", ["filter", "output", 0, "accept"]),
      ),
      [],
    );
    expect(hooks.map(({ chain: name, maker, refuses }) => [name, maker, refuses])).toEqual([
      ["FORWARD", "Docker, by iptables-nft", true],
      ["INPUT", "ufw, by iptables-nft", true],
      ["OUTPUT", "iptables-nft", false],
    ]);
    expect(hooks[0]?.effect).toMatch(/may refuse.*iptables' own, which nft cannot tell/);
    expect(hooks[2]?.effect).toMatch(/^It judges beside Weft and refuses nothing/);
  });

  it("says what translation does, before Weft and after it, and what untracking does", () => {
    const hooks = foreignHooks(
      rules(
        table("ip", "nat"),
        base("ip", "nat", "PREROUTING", ["nat", "prerouting", -100, "accept"]),
        rule("ip", "nat", "PREROUTING", { dnat: { addr: "172.17.0.2" } }),
        base("ip", "nat", "POSTROUTING", ["nat", "postrouting", 100, "accept"]),
        rule("ip", "nat", "POSTROUTING", { masquerade: null }),
        table("ip", "raw"),
        base("ip", "raw", "PREROUTING", ["filter", "prerouting", -300, "accept"]),
        rule("ip", "raw", "PREROUTING", { notrack: null }),
      ),
      [],
    );
    const effect = (of: string, hook: string) =>
      hooks.find((item) => item.table === of && item.hook === hook)?.effect ?? "";
    expect(effect("ip nat", "prerouting")).toMatch(
      /before Weft sees it: Weft judges such a port by the port/,
    );
    expect(effect("ip nat", "postrouting")).toMatch(/after Weft has judged it/);
    expect(effect("ip raw", "prerouting")).toMatch(
      /^It comes before Weft and refuses nothing.*sees each as new/,
    );
  });

  it("names firewalld and libvirt by their tables, and the old iptables though nft does not see it", () => {
    const hooks = foreignHooks(
      rules(
        table("inet", "firewalld"),
        base("inet", "firewalld", "filter_INPUT", ["filter", "input", 10, "accept"]),
        rule("inet", "firewalld", "filter_INPUT", { reject: null }),
        table("ip", "libvirt_network"),
        base("ip", "libvirt_network", "forward", ["filter", "forward", 0, "accept"]),
      ),
      ["iptables-legacy filter"],
    );
    expect(hooks.map(({ maker }) => maker)).toEqual(["firewalld", "iptables-legacy", "libvirt"]);
    expect(hooks[0]?.effect).toMatch(/judges after Weft, and some of its rules refuse/);
    expect(hooks.map(hookPlace)[1]).toBe("iptables-legacy filter");
  });

  it("is bounded, and keeps those that refuse", () => {
    const many = Array.from({ length: 200 }, (_, index) => [
      table("inet", `t${index}`),
      base("inet", `t${index}`, "c", ["filter", "input", 0, index === 199 ? "drop" : "accept"]),
    ]).flat();
    const hooks = foreignHooks(rules(...many), []);
    expect(hooks).toHaveLength(mostHooks);
    expect(hooks[0]?.table).toBe("inet t199");
  });
});

describe("foreignRefusals", () => {
  const packet = (to: number): Packet => ({
    hook: "input",
    source: "192.0.2.1",
    destination: "10.77.0.11",
    protocol: "tcp",
    port: to,
    uid: undefined,
    local: false,
    publishedPort: undefined,
  });
  const flows = [22, 8080].map((to) => ({ what: `to ${to}`, packet: packet(to) }));

  it("tells what is refused for certain, and by whom", () => {
    expect(foreignRefusals(dropping, flows)).toEqual([
      { what: "to 8080", by: "table inet filter, chain input", verdict: "drop" },
    ]);
  });

  it("claims nothing where a match cannot be told", () => {
    const veiled = rules(
      table("ip", "filter"),
      base("ip", "filter", "INPUT", ["filter", "input", 0, "drop"]),
      rule("ip", "filter", "INPUT", { xt: null }, { accept: null }),
    );
    expect(foreignRefusals(veiled, flows)).toEqual([]);
  });
});
