import { describe, expect, it } from "@jest/globals";
import { isAtLeast } from "./dotted-version.ts";

describe("isAtLeast", () => {
  it.each([
    ["5.10.0-8-amd64", "5.10", true],
    ["5.9.16", "5.10", false],
    ["6", "5.10", true],
    ["5", "5.10", false],
    ["252 (252.39-1)", "242", true],
    ["18.1.3", "18.1", true],
    ["18.0.9", "18.1", false],
    ["", "5.10", undefined],
    ["linux-6.1", "5.10", undefined],
  ])("%p against %s: %p", (version, least, answer) => {
    expect(isAtLeast(version, least)).toBe(answer);
  });
});
