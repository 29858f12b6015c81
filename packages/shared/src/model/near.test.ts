import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { editDistance, nearestName } from "./near.ts";

describe("near names", () => {
  it.each([
    ["adress", ["address", "labels"], "address"],
    ["wbe1", ["web1", "api1"], "web1"],
    ["Web1", ["web1"], "web1"],
    ["trustdomain", ["trustDomain", "mesh"], "trustDomain"],
    ["a", ["b", "c"], undefined],
    ["payments", ["orders", "web"], undefined],
    ["x".repeat(500), ["x".repeat(499)], undefined],
  ])("%s", (written, names, near) => {
    expect(nearestName(written, names)).toBe(near);
  });

  it("distance is zero for the same, symmetric, and at most the longer length", () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});
