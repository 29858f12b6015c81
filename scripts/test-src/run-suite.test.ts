import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { runSuite } from "./run-suite.ts";

let root: string;
let said: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "weft-run-suite-"));
  mkdirSync(join(root, "node_modules/jest/bin"), { recursive: true });
  said = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function run(jest: string, limitMinutes: number) {
  writeFileSync(join(root, "node_modules/jest/bin/jest.js"), jest);
  const suite = { name: "unit", folders: ["packages"], needs: [], inBand: true, limitMinutes };
  const context = { root, env: { NODE_OPTIONS: "" }, say: (text: string) => void said.push(text) };
  return runSuite(context, { suite, files: ["a.test.ts"] });
}

describe("a suite", () => {
  it("that hangs is ended at its limit, and has failed", async () => {
    const tally = await run("setInterval(() => {}, 1000);", 0.01);
    expect(tally).toEqual({ passed: 0, failed: 1, skipped: [] });
    expect(said.join()).toContain("no end after");
  });

  it("is asked to end when its results are in, whatever a test left open", async () => {
    const report = JSON.stringify({
      numRuntimeErrorTestSuites: 0,
      testResults: [{ name: "a", assertionResults: [{ fullName: "t", status: "failed" }] }],
    });
    const tally = await run(
      `const to = process.argv.find((arg) => arg.startsWith("--outputFile=")).slice(13);
      require("node:fs").writeFileSync(to, ${JSON.stringify(report)});
      if (!process.argv.includes("--forceExit")) setInterval(() => {}, 1000);`,
      0.2,
    );
    expect(tally.failed).toBe(1);
    expect(said).toEqual([]);
  });
});
