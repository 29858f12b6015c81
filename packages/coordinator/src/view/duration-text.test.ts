import { describe, expect, it } from "@jest/globals";
import { durationText, untilText } from "./duration-text.ts";

describe("a duration in words", () => {
  it.each([
    [-5, "0 ms"],
    [250, "250 ms"],
    [1000, "1 s"],
    [119_000, "119 s"],
    [120_000, "2 min"],
    [3_599_000, "59 min"],
    [7_200_000, "2 h"],
    [47 * 3600_000, "47 h"],
    [72 * 3600_000, "3 d"],
  ])("%i ms is %s", (length, text) => {
    expect(durationText(length)).toBe(text);
  });

  it("says expired when it is over", () => {
    const now = new Date();
    expect(untilText(now, now)).toBe("expired");
    expect(untilText(undefined, now)).toBe("-");
  });
});
