import { describe, expect, it } from "@jest/globals";
import { emptyContent } from "../../../../test/support/desired.ts";
import { judgeUsers, parsePasswd, usersOf } from "./users.ts";

const everybody = parsePasswd(
  [
    "root:x:0:0::/root:/bin/sh",
    "web:x:990:990::/:/bin/false",
    "copy:x:990:990::/:/bin/false",
    "api:x:991:991::/:",
    "broken",
  ].join("\n"),
);

describe("judgeUsers", () => {
  it("gives the uid of a static user of its own", () => {
    const { uids, conditions } = judgeUsers(["api"], everybody, everybody);
    expect([...uids]).toEqual([["api", 991]]);
    expect(conditions).toEqual([]);
  });

  it.each([
    ["nobody-there", "USER_MISSING", "no user"],
    ["root", "USER_UNSAFE", "is root"],
    ["web", "USER_UNSAFE", "with copy"],
    ["dynamic", "USER_UNSAFE", "any unit"],
  ])("lets %s stand for nobody", (name, code, text) => {
    const found = [...everybody, { name: "dynamic", uid: 61184 }];
    const { uids, conditions } = judgeUsers([name], found, everybody);
    expect(uids.size).toBe(0);
    expect(conditions).toMatchObject([{ code, detail: expect.stringContaining(text) }]);
  });
});

describe("usersOf", () => {
  it("is empty for a node without services", () => {
    expect(usersOf(emptyContent("web1"))).toEqual([]);
  });
});
