import { describe, expect, it } from "@jest/globals";
import { parseReadings } from "./footprint.ts";

describe("readings of a machine", () => {
  it("become MiB and a share of one processor", () => {
    const text = "weft-node-agent 1000000 90000 40000 \n--\nweft-node-agent 1040000 92160 40960 \n";
    expect(parseReadings(text, 20)).toEqual([
      { unit: "weft-node-agent", rssMiB: 90, privateMiB: 40, idlePercent: 0.2 },
    ]);
  });
  it("of a unit that started in between have no idle time", () => {
    expect(parseReadings("--\nweft-dns 5 1024 1024 \n", 20)[0]?.idlePercent).toBeNaN();
  });
});
