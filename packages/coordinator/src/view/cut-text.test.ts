import { expect, it } from "@jest/globals";
import type { CutReport } from "@weft/shared/model/report";
import { decodeCut, encodeCut } from "@weft/shared/wire/report-codec";
import { cutText } from "./cut-text.ts";

const cut: CutReport = {
  occasion: "confirmed",
  generation: 4,
  ended: 0,
  leftUnknown: 0,
  failed: 0,
  kept: 0,
  at: new Date(0),
};

it("a cut is told by what came of it, and not at all when nothing did", () => {
  expect(cutText(cut)).toBe("");
  expect(cutText({ ...cut, ended: 3 })).toBe("ended 3 flows that are forbidden now");
  expect(cutText({ ...cut, ended: 1, failed: 2, leftUnknown: 1 })).toBe(
    "ended 1 flow that is forbidden now, could not end 2 flows that are forbidden now, " +
      "left 1 that the rules give no clear answer for",
  );
  expect(cutText({ ...cut, kept: 2 })).toBe("keeps 2 flows that are forbidden now, as asked");
});

it("a cut is the same after the wire", () => {
  const whole = { ...cut, ended: 1, leftUnknown: 2, failed: 3, kept: 4 };
  expect(decodeCut(encodeCut(whole))).toEqual(whole);
});
