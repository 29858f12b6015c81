import { describe, expect, it } from "@jest/globals";
import { select } from "./selection.ts";
import { suites } from "./suites.ts";

const all = suites.map((suite) => ({
  suite,
  files: suite.folders.slice(0, 1).map((folder) => `${folder}/some.test.ts`),
}));
const namesOf = (pattern?: string) => select(all, pattern).map(({ suite }) => suite.name);

describe("--only", () => {
  it("absent: everything, in order", () => {
    expect(namesOf()).toEqual(["check", "unit", "arch", "contract", "integration", "system"]);
  });

  it("a suite's name: that suite, and not every path that holds the word", () => {
    expect(namesOf("unit")).toEqual(["unit"]);
    expect(namesOf("check")).toEqual(["check"]);
  });

  it("a part of a path: the suites with such files, and only those files", () => {
    expect(select(all, "test/arch/so")).toEqual([
      { suite: expect.objectContaining({ name: "arch" }), files: ["test/arch/some.test.ts"] },
    ]);
  });

  it("matching nothing: nothing", () => {
    expect(namesOf("no-such-test")).toEqual([]);
  });
});
