import { expect, it } from "@jest/globals";
import { enforcedTimes } from "./enforced-times.ts";

it("tells how long it takes by nearest rank, and who is slow", () => {
  expect(enforcedTimes(new Map())).toBeUndefined();
  expect(enforcedTimes(new Map([["a", 7]]))).toEqual({ p50Ms: 7, p99Ms: 7, maxMs: 7, slow: [] });
  const hundred = new Map(Array.from({ length: 100 }, (_, index) => [`n${index}`, index + 1] as const));
  hundred.set("n99", 151);
  expect(enforcedTimes(hundred)).toEqual({ p50Ms: 50, p99Ms: 99, maxMs: 151, slow: ["n99"] });
});

it.each([
  [
    "much more than the median and is outside of what the others take",
    [3, 3, 4, 5, 5, 6, 6, 6, 6, 6, 11],
    ["n10"],
  ],
  ["much more than the median where others take as long", [1, 1, 2, 2, 4, 5, 9, 9, 9, 9, 9], []],
  ["little more than the median, outside of what the others take", [2, 2, 2, 2, 2, 2, 2, 2, 3], []],
])("takes for slow, or not, what took %s", (_, seconds, slow) => {
  const took = new Map(seconds.map((value, index) => [`n${index}`, value * 1000] as const));
  expect(enforcedTimes(took)?.slow).toEqual(slow);
});
