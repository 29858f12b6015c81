import { expect, it } from "@jest/globals";
import { compare, percentile, summarise } from "./measurement.ts";

it("takes the nearest rank", () => {
  expect(percentile([3, 1, 2], 0.5)).toBe(2);
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
  expect(
    percentile(
      Array.from({ length: 200 }, (_, index) => index + 1),
      0.99,
    ),
  ).toBe(198);
  expect(percentile([7], 0.99)).toBe(7);
  expect(percentile([], 0.5)).toBeNaN();
});

it("counts from the beginning of each round", () => {
  const rounds = [
    { began: 100, returned: 101, flips: new Map([["a", 100.25]]) },
    {
      began: 200,
      returned: 202,
      flips: new Map([
        ["a", 200.5],
        ["b", 201],
      ]),
    },
  ];
  expect(summarise(rounds)).toEqual({ rounds: 2, p50: 500, p99: 1000, last: 250, returned: 1000 });
});

it("names what is told too early, and who says nothing", () => {
  const seen = new Map([
    ["a", 10],
    ["b", 10],
  ]);
  expect(compare(new Map([["a", 9.5]]), seen)).toEqual([
    { machine: "a", ms: -500 },
    { machine: "b", ms: Number.NaN },
  ]);
});
