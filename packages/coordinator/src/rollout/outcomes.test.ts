import { expect, it } from "@jest/globals";
import type { Revision, RolloutRecord } from "../store/records.ts";
import { outcomesOf } from "./outcomes.ts";

const revision = (number: number, restores?: number): Revision => ({
  revision: number,
  at: new Date(0),
  claimedBy: "ada",
  reason: "",
  digest: "d",
  restores,
});
const rollout = (number: number, change: Partial<RolloutRecord>): RolloutRecord => ({
  revision: number,
  base: number - 1,
  state: "done",
  course: { waves: [["a"], ["b"]], begun: 1, given: new Map(), stopOn: [], deadlineSeconds: 1 },
  flags: { confirmTimeoutSeconds: 0, keepEstablished: true },
  why: "",
  endedBy: undefined,
  ...change,
});
const told = (revisions: Revision[], rollouts: RolloutRecord[]) =>
  [...outcomesOf(revisions, rollouts)].map(([number, { outcome, detail }]) =>
    `${number} ${outcome} ${detail}`.trim(),
  );

it("says what became of every revision", () => {
  const revisions = [
    revision(8),
    revision(7, 3),
    revision(6),
    revision(5, 3),
    revision(4),
    revision(3),
    revision(2),
    revision(1),
  ];
  const rollouts = [
    rollout(8, { state: "running", base: 7 }),
    rollout(6, {}),
    rollout(4, { state: "stopped", why: "a REVERTED", endedBy: 5 }),
    rollout(2, { state: "superseded", endedBy: 3 }),
  ];
  expect(told(revisions, rollouts)).toEqual([
    "8 rolling-out wave 1 of 2",
    "7 in-force where revision 8 has not come to",
    "6 rolled-back to revision 3, as revision 7",
    "5 replaced by revision 6",
    "4 stopped a REVERTED; taken back as revision 5",
    "3 replaced in force again as revision 5",
    "2 superseded by revision 3, before it was everywhere",
    "1 replaced by revision 3",
  ]);
  expect(told([revision(1)], [])).toEqual(["1 in-force"]);
});
