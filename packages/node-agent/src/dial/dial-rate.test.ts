import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { DialRate } from "./dial-rate.ts";

describe("how often a node dials", () => {
  it("is never more than so many within any minute, and never less without need", () => {
    const steps = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 80 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5 }), (pauses, most) => {
        const rate = new DialRate(most);
        const admitted: number[] = [];
        let now = 1_000_000;
        for (const pause of pauses) {
          now += pause;
          const within = admitted.filter((time) => now - time < 60_000).length;
          const isAdmitted = rate.admits(new Date(now));
          expect(isAdmitted).toBe(within < most);
          if (isAdmitted) admitted.push(now);
        }
      }),
    );
  });

  it("does not shut the door when the clock is set back", () => {
    const rate = new DialRate(1);
    expect(rate.admits(new Date(10_000_000))).toBe(true);
    expect(rate.admits(new Date(10_000_001))).toBe(false);
    expect(rate.admits(new Date(5_000_000))).toBe(true);
  });
});
