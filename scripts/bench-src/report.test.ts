import { describe, expect, it } from "@jest/globals";
import { median, renderReport, seconds } from "./report.ts";

describe("the report", () => {
  it("lines up what was measured with its budget", () => {
    const rows = [
      { what: "join", measured: "4.2 s", budget: "< 8 s" },
      { what: "node agent", measured: "84 MiB" },
    ];
    expect(renderReport(rows)).toBe(
      ["what        measured  budget", "join           4.2 s  < 8 s", "node agent    84 MiB"].join("\n"),
    );
  });
  it("says the middle of the values, and seconds", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(seconds(1250)).toBe("1.3 s");
  });
});
