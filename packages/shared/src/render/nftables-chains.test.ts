import { describe, expect, it } from "@jest/globals";
import { chains } from "./nftables-chains.ts";

const chain = (name: string) => chains.find((each) => each.name === name)?.rules ?? [];
/** Where a rule leads to a chain that a mesh file can speak in. */
const isPolicy = (rule: string) => /(goto|jump) (judge|decide|default|refuse|audit|outside)/.test(rule);
const before = (name: string) => {
  const rules = chain(name);
  const first = rules.findIndex(isPolicy);
  return rules.slice(0, first < 0 ? rules.length : first);
};
const bans = (rules: readonly string[]) => rules.filter((rule) => rule.includes("goto banned_"));

describe("the order is bans, guards, policy", () => {
  it.each(["input", "output", "forward"])("%s begins with the bans, of both families", (hook) => {
    const found = bans(chain(hook));
    expect(chain(hook).slice(0, found.length)).toEqual(found);
    expect(found.filter((rule) => / ip [sd]addr @banned4 /.test(` ${rule}`))).toHaveLength(found.length / 2);
    expect(found.filter((rule) => / ip6 [sd]addr @banned6 /.test(` ${rule}`))).toHaveLength(found.length / 2);
    // no state is asked for: what is established is judged like the rest
    expect(found.join()).not.toMatch(/\bct\b/);
  });

  it.each([
    [
      "input",
      ["icmp type", "icmpv6 type", "udp sport 67 udp dport 68 accept", "udp sport 547 udp dport 546 accept"],
    ],
    ["input", ["goto guard_coordinator", "goto guard_enrolment", "jump guard_admin"]],
    [
      "judge_out",
      ["icmp type", "icmpv6 type", "udp sport 68 udp dport 67 accept", "udp sport 546 udp dport 547 accept"],
    ],
    ["judge_out", ["@guard_out4 accept", "@guard_out6 accept"]],
    ["judge_kept", ["@guard_out4 accept", "@guard_out6 accept"]],
  ])("in %s nothing a mesh file says comes before %j", (name, wanted) => {
    for (const text of wanted) expect(before(name).filter((rule) => rule.includes(text))).toHaveLength(1);
  });

  it("what a guard chain accepts, it accepts for good; and nothing banned is answered", () => {
    for (const name of ["guard_coordinator", "guard_enrolment", "guard_admin"])
      for (const rule of chain(name)) expect(rule).toMatch(/ accept$|^goto refuse_in$/);
    for (const name of ["banned_in", "banned_out", "banned_forward"]) expect(chain(name).at(-1)).toBe("drop");
    expect(chain("output").find(isPolicy)).toBe("ct state new,untracked goto judge_out");
  });
});
