import { describe, expect, it } from "@jest/globals";
import { mayRefuse } from "./may-refuse.ts";
import { parseRuleset } from "./ruleset.ts";

const table = { family: "ip", name: "mangle" };
const jump = { jump: { target: "CILIUM_PRE_mangle" } };

/** A base chain with these rules, and the chain it jumps to with those. */
function judged(base: readonly unknown[][], feeder: readonly unknown[][], policy = "accept"): boolean {
  const at = (chain: string) => (expr: unknown[], handle: number) => ({
    rule: { family: table.family, table: table.name, chain, handle, expr },
  });
  const named = (name: string, hook: object) => ({
    chain: { family: table.family, table: table.name, name, ...hook },
  });
  const ruleset = parseRuleset(
    JSON.stringify({
      nftables: [
        { table },
        named("PREROUTING", { type: "filter", hook: "prerouting", prio: -150, policy }),
        named("CILIUM_PRE_mangle", {}),
        ...base.map(at("PREROUTING")),
        ...feeder.map(at("CILIUM_PRE_mangle")),
      ],
    }),
  );
  const [found] = ruleset;
  return mayRefuse(found!, found!.chains.get("PREROUTING")!);
}

describe("whether a chain could refuse anything", () => {
  const mark = [{ match: {} }, { xt: null }, { counter: {} }];
  it.each([
    ["marks of Cilium's feeder chains", [[{ counter: {} }, jump]], [mark], "accept", false],
    ["a jump to them with a comment", [[{ xt: null }, jump]], [mark], "accept", false],
    ["nothing at all", [], [], "accept", false],
    ["a policy of drop", [[jump]], [mark], "drop", true],
    ["a drop behind a jump", [[jump]], [mark, [{ drop: null }]], "accept", true],
    ["a reject", [[{ reject: {} }]], [], "accept", true],
    ["an extension in a chain of somebody else", [mark], [], "accept", true],
    ["a translation", [[{ dnat: { addr: "10.0.0.1" } }]], [], "accept", true],
    ["a verdict map", [[{ vmap: {} }]], [], "accept", true],
    ["a jump to nowhere", [[{ jump: { target: "gone" } }]], [], "accept", true],
    ["a statement that nft does not print", [[null]], [], "accept", true],
    ["chains in a circle that accept", [[jump]], [[jump], [{ accept: null }]], "accept", false],
  ])("%s", (_what, base, feeder, policy, expected) => {
    expect(judged(base, feeder, policy)).toBe(expected);
  });
});
