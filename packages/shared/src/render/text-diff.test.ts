import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { lineEdits, unifiedDiff } from "./text-diff.ts";

const names = { before: "a", after: "b" };

describe("unified diff", () => {
  it("is empty for equal texts", () => {
    expect(unifiedDiff("a\nb\n", "a\nb\n", names)).toBe("");
    expect(unifiedDiff("", "", names)).toBe("");
  });

  it("shows a change with three lines around it, and joins near ones", () => {
    const before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n";
    const after = before.replace("5\n", "five\n").replace("9\n", "").replace("17\n", "17\n18\n");
    expect(unifiedDiff(before, after, names)).toBe(
      "--- a\n+++ b\n@@ -2,11 +2,10 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n-9\n 10\n 11\n 12\n" +
        "@@ -15,3 +14,4 @@\n 15\n 16\n 17\n+18\n",
    );
  });

  it("of something new or gone begins at line 0", () => {
    expect(unifiedDiff("", "x\n", names)).toBe("--- a\n+++ b\n@@ -0,0 +1,1 @@\n+x\n");
    expect(unifiedDiff("x\n", "", names)).toBe("--- a\n+++ b\n@@ -1,1 +0,0 @@\n-x\n");
  });

  const lines = fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 30 });

  it("leads from the one text to the other, by no more than leaving one and writing the other", () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const edits = lineEdits(before, after);
        expect(edits.filter(([sign]) => sign !== "+").map(([, line]) => line)).toEqual(before);
        expect(edits.filter(([sign]) => sign !== "-").map(([, line]) => line)).toEqual(after);
      }),
    );
  });

  it("does so in bounded time for large texts, too", () => {
    const before = Array.from({ length: 4000 }, (_, index) => `line ${index}`);
    const after = before.flatMap((line, index) =>
      index % 3 === 0 ? [`new ${index}`] : index % 7 === 0 ? [] : [line],
    );
    const edits = lineEdits(before, after);
    expect(edits.filter(([sign]) => sign !== "+").map(([, line]) => line)).toEqual(before);
    expect(edits.filter(([sign]) => sign !== "-").map(([, line]) => line)).toEqual(after);
    expect(edits.filter(([sign]) => sign === " ").length).toBe(
      after.filter((line) => line.startsWith("line")).length,
    );
    const apart = lineEdits(Array<string>(3000).fill("x"), Array<string>(3000).fill("y"));
    expect(apart).toHaveLength(6000);
  });
});
