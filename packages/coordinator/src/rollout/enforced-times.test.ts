import { expect, it } from "@jest/globals";
import { enforcedTimes } from "./enforced-times.ts";

it("tells how long it takes by nearest rank, and who is slow", () => {
  expect(enforcedTimes(new Map())).toBeUndefined();
  expect(enforcedTimes(new Map([["a", 7]]))).toEqual({ p50Ms: 7, p99Ms: 7, maxMs: 7, slow: [] });
  const hundred = new Map(Array.from({ length: 100 }, (_, index) => [`n${index}`, index + 1] as const));
  hundred.set("n99", 151);
  expect(enforcedTimes(hundred)).toEqual({ p50Ms: 50, p99Ms: 99, maxMs: 151, slow: ["n99"] });
});
