// In: a test file that needs machines. Out: a lab of its own, up for as long as the file runs.
import { afterAll, beforeAll } from "@jest/globals";
import { type Lab, openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import type { ProgressSink } from "../../scripts/supply/progress.ts";

/** The first lab on a machine has the Debian root built; later ones start in seconds. */
const buildDeadlineMs = 900_000;

export const labProgress: ProgressSink = {
  line: (text) => process.stderr.write(`${text}\n`),
  now: () => performance.now(),
};

/** A lab name no other test run uses. */
export function freshLabName(purpose: string): string {
  return `t-${process.pid}-${purpose}`;
}

/** Brings a lab up before the tests of this file and down after them. */
export function useLab(purpose: string, nodes = 0): Lab {
  const name = freshLabName(purpose);
  beforeAll(async () => {
    await labUp(labNames(name), nodes, labProgress);
  }, buildDeadlineMs);
  afterAll(() => labDown(labNames(name), labProgress), 120_000);
  return openLab(name);
}

export type { Lab };
export { openLab };
