import { describe, expect, it } from "@jest/globals";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import {
  parseArmed,
  parseArmedAge,
  renderArming,
  renderConfirm,
  renderNftables,
  renderStaging,
} from "./nftables.ts";
import { parseScriptHeader } from "./nftables-script-header.ts";
import { chainsIn, otherSlot, type Slot, slots } from "./nftables-slots.ts";

const base = emptyContent("web1");
const content = sealed({
  ...base,
  policy: {
    ...base.policy,
    guard: {
      ...base.policy.guard,
      admin: ["192.0.2.0/28"],
      ports: [
        { protocol: "tcp", from: 22, to: 22 },
        { protocol: "tcp", from: 2222, to: 2224 },
      ],
    },
  },
});
const { digest } = content;
const input = { content, revision: 7, digest, uids: new Map([["web", 2001]]) };
const lines = (text: string) => text.split("\n");
const rename = (text: string, from: Slot, to: Slot) =>
  text.replaceAll(new RegExp(`\\b${from}_(?=\\w)`, "g"), `${to}_`);

describe("slots", () => {
  it("hold the same policy under other names, and refer to nothing of each other", () => {
    for (const slot of slots) {
      const other = otherSlot(slot);
      expect(rename(JSON.stringify(chainsIn(slot)), slot, other)).toBe(JSON.stringify(chainsIn(other)));
      for (const { rules } of chainsIn(slot))
        for (const rule of rules) expect(rule).not.toMatch(new RegExp(`(@|goto |jump )${other}_`));
    }
    const [a, b] = [renderNftables(input, "a"), renderNftables(input, "b")];
    const filling = (text: string, slot: Slot) =>
      text
        .slice(text.indexOf(`add rule inet weft ${slot}_input`))
        .replaceAll(new RegExp(`\\b${slot}_`, "g"), "");
    expect(filling(a, "a")).toBe(filling(b, "b"));
  });

  it("are chosen between by one rule a hook, and both families are armed", () => {
    const staging = lines(renderStaging(input, "b"));
    for (const hook of ["input", "output", "forward"]) {
      const rules = staging.filter((line) => line.startsWith(`add rule inet weft ${hook} `));
      expect(rules.slice(-2)).toEqual([
        `add rule inet weft ${hook} meta nfproto @armed goto b_${hook}`,
        `add rule inet weft ${hook} goto a_${hook}`,
      ]);
    }
    expect(staging.filter((line) => /armed \{$/.test(line))).toEqual([]);
    const arm = lines(renderArming(digest, 1_500));
    const at = arm.indexOf("add element inet weft armed {");
    expect(arm.slice(at + 1, at + 3)).toEqual([
      `  ipv4 timeout 1500ms comment "digest=${digest}",`,
      `  ipv6 timeout 1500ms comment "digest=${digest}"`,
    ]);
  });

  it("leave the confirmed one and its revision alone while another is staged", () => {
    const changed = lines(renderStaging(input, "b")).filter(
      (line) => !line.startsWith("add set") && !line.startsWith("add chain"),
    );
    expect(changed.filter((line) => /inet weft a_/.test(line))).toEqual([]);
    expect(changed.filter((line) => /inet weft rev\b|flush table/.test(line))).toEqual([]);
  });

  it("are confirmed by a transaction that begins with what must not have expired", () => {
    const confirm = lines(renderConfirm("b", input));
    expect(confirm[0]).toBe("delete element inet weft armed { ipv4, ipv6 }");
    expect(confirm).toContain("add rule inet weft output goto b_output");
    expect(confirm.some((line) => /@armed/.test(line))).toBe(false);
    expect(confirm).toContain("flush chain inet weft a_input");
    expect(confirm.some((line) => /^flush .* b_/.test(line))).toBe(false);
  });

  it("are read back from a script, with what it guards", () => {
    for (const slot of slots)
      expect(parseScriptHeader(renderNftables(input, slot))).toEqual({
        slot,
        revision: 7,
        digest,
        guardPorts: content.policy.guard.ports,
      });
    expect(parseScriptHeader("add table inet weft\n")).toBeUndefined();
  });

  it("say what is armed, and nothing of a set whose elements have expired", () => {
    const list = (elem: unknown[]) => JSON.stringify({ nftables: [{ set: { name: "armed", elem } }] });
    const element = { elem: { val: "ipv4", timeout: 15, expires: 9, comment: `digest=${digest}` } };
    expect(parseArmed(list([element]))).toEqual({ digest, expiresSeconds: 9 });
    expect(parseArmed(list([]))).toBeUndefined();
    expect(parseArmed(JSON.stringify({ nftables: [{ set: { name: "armed" } }] }))).toBeUndefined();
  });

  it("say for how long it has been armed, to the millisecond, as nft prints times for people", () => {
    const printed = (elements: string) =>
      `table inet weft {\n\tset armed {\n\t\ttype nf_proto\n\t\tflags timeout\n${elements}\t}\n}\n`;
    const element = (times: string) => `ipv4 ${times} comment "digest=${digest}"`;
    const age = (times: string) => parseArmedAge(printed(`\t\telements = { ${element(times)} }\n`));
    expect(age("timeout 4s expires 3s988ms")).toBe(12);
    expect(age("timeout 2m expires 1m2s4ms")).toBe(57_996);
    expect(age("timeout 1h expires 59m59s")).toBe(1_000);
    expect(age("timeout 4s")).toBeUndefined();
    expect(parseArmedAge(printed(""))).toBeUndefined();
  });
});
