import { describe, expect, it } from "@jest/globals";
import { sum, summaryLine, tallyOf } from "./tally.ts";

function report(statuses: readonly string[], unloadable = 0): string {
  const assertionResults = statuses.map((status, index) => ({ fullName: `test ${index}`, status }));
  return JSON.stringify({
    numRuntimeErrorTestSuites: unloadable,
    testResults: [{ name: "a.test.ts", assertionResults }],
  });
}

describe("the tally of a run", () => {
  it("counts every outcome, and names what was skipped", () => {
    const tally = tallyOf(report(["passed", "failed", "passed", "pending", "todo"]));
    expect(tally).toEqual({
      passed: 2,
      failed: 1,
      skipped: ["a.test.ts: test 3 (pending)", "a.test.ts: test 4 (todo)"],
    });
  });

  it("counts a file that did not load as a failure", () => {
    expect(tallyOf(report([], 1)).failed).toBe(1);
  });

  it.each(["", "{", "{}", "[]"])("counts an unreadable report as a failure: %j", (text) => {
    expect(tallyOf(text)).toEqual({ passed: 0, failed: 1, skipped: [] });
  });

  it("adds up to the last line", () => {
    const total = sum([tallyOf(report(["passed", "pending"])), tallyOf(report(["passed", "failed"]))]);
    expect(summaryLine(total)).toBe("2 passed, 1 failed, 1 skipped");
  });
});
