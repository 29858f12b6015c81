import { describe, expect, it } from "@jest/globals";
import { toNumber } from "./number.ts";

describe("a count from the wire", () => {
  it("leaves room to count on exactly", () => {
    const largest = toNumber(2n ** 52n, "generation");
    expect(Number.isSafeInteger(largest + 1_000_000)).toBe(true);
  });

  it.each([2n ** 52n + 1n, BigInt(Number.MAX_SAFE_INTEGER), 2n ** 64n - 1n])("is refused at %s", (value) => {
    expect(() => toNumber(value, "generation")).toThrow(expect.objectContaining({ code: "WEFT-E003" }));
  });
});
