import { describe, expect, it } from "@jest/globals";
import { withoutPolicy, withoutSelector, withPolicy } from "./mesh-edit.ts";

const line = "- { name: new, from: [web], to: api }";
const text = `# the shop
policies: # who may
    - { name: a, from: [web, node:hub, { cidr: 192.0.2.0/28 }], to: api } # first
    - name: b
      from:
        - web
        - shop # and this
      to: api

    - { name: c, from: [web], to: api }
# after
defaults: { ingress: deny }
`;

describe("a policy more", () => {
  it("stands after the last one, indented like it; every other byte stays", () => {
    const edited = withPolicy(text, line);
    expect(edited).toBe(text.replace("# after", `    ${line}\n# after`));
  });

  it("makes the list when there is none, and keeps a file without a last newline whole", () => {
    expect(withPolicy("weft: v1", line)).toBe(`weft: v1\n\npolicies:\n  ${line}\n`);
    expect(withPolicy("policies:\n- { name: a }", line)).toBe(`policies:\n- { name: a }\n${line}\n`);
  });

  it("is not forced into a list of another form", () => {
    expect(withPolicy("policies: [{ name: a }]\n", line)).toBeUndefined();
    expect(withPolicy("policies: []\n", line)).toBeUndefined();
  });
});

describe("less", () => {
  it("a policy takes its lines and nothing else", () => {
    expect(withoutPolicy(text, "c")).toBe(text.replace("    - { name: c, from: [web], to: api }\n", ""));
    expect(withoutPolicy(text, "a")).not.toContain("first");
    const block = withoutPolicy(text, "b");
    expect(block).not.toContain("name: b");
    expect(block).toContain("{ name: c");
    expect(withoutPolicy(text, "z")).toBeUndefined();
  });

  it("a selector leaves the others as they were written", () => {
    expect(withoutSelector(text, "a", 0)).toContain("from: [node:hub, { cidr: 192.0.2.0/28 }]");
    expect(withoutSelector(text, "a", 1)).toContain("from: [web, { cidr: 192.0.2.0/28 }]");
    expect(withoutSelector(text, "a", 2)).toContain("from: [web, node:hub]");
    expect(withoutSelector(text, "b", 1)).toBe(text.replace("        - shop # and this\n", ""));
    // the only one: then the policy itself goes
    expect(withoutSelector(text, "c", 0)).toBeUndefined();
  });
});
