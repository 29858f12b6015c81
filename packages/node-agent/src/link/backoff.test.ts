import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { backoffMs } from "./backoff.ts";

describe("backoffMs", () => {
  it("law: grows with failures, never above 15 s, never zero, and spreads", () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, random) => {
        const wait = backoffMs(failures, random);
        expect(wait).toBeGreaterThanOrEqual(60);
        expect(wait).toBeLessThanOrEqual(15_000);
        expect(backoffMs(failures + 1, random)).toBeGreaterThanOrEqual(wait);
      }),
    );
    expect(backoffMs(10, 0.99) - backoffMs(10, 0)).toBeGreaterThan(10_000);
  });
});
