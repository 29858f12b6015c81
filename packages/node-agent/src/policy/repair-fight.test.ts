// When a fight begins, how fast it is fought, and when it is over.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { longestPauseMs, RepairFight } from "./repair-fight.ts";

function after(...times: readonly number[]): RepairFight {
  const fight = new RepairFight();
  for (const time of times) fight.repaired(time, "nft");
  return fight;
}

describe("RepairFight", () => {
  it("begins with the third repair within 10 s", () => {
    expect(after(0, 5_000).standing(5_000)).toBeUndefined();
    expect(after(0, 5_000, 10_001).standing(10_001)).toBeUndefined();
    expect(after(0, 5_000, 9_999).standing(9_999)).toEqual({ by: "nft", times: 3, repairs: 3 });
  });

  it("names the culprit seen most, and how often", () => {
    const fight = new RepairFight();
    fight.repaired(0, "nft in cron.service");
    for (const time of [1, 2, 3]) fight.repaired(time, "python3 in firewalld.service");
    expect(fight.standing(3)).toEqual({ by: "python3 in firewalld.service", times: 3, repairs: 4 });
  });

  it("is over after a quiet minute, and forgotten then", () => {
    const fight = after(0, 1, 2);
    expect(fight.standing(60_001)).toBeDefined();
    expect(fight.standing(60_002)).toBeUndefined();
    fight.repaired(70_000, "nft");
    expect(fight.standing(70_000)).toBeUndefined();
  });

  it("does not wait outside a fight, and never longer than it says", () => {
    expect(after(0, 6_000, 12_000, 18_000).pauseMs(18_000)).toBe(0);
    expect([2, 3, 4, 5, 6].map((n) => after(...Array(n).keys()).pauseMs(10))).toEqual([
      0, 250, 500, 1_000, 1_000,
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(5_000)), fc.nat(20_000), (gaps, later) => {
        let at = 0;
        const fight = new RepairFight();
        for (const gap of gaps) {
          at += gap;
          fight.repaired(at, `by ${gap % 50}`);
        }
        expect(fight.pauseMs(at)).toBeLessThanOrEqual(longestPauseMs);
        expect(fight.pauseMs(at + 10_000)).toBe(0);
        expect(fight.standing(at + later + 60_000)).toBeUndefined();
      }),
    );
  });
});
