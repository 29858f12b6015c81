import { describe, expect, it } from "@jest/globals";
import { markedSets, markTimeoutSeconds, renderMarks } from "@weft/shared/render/nftables-memory";
import { memoryAge } from "./memory-age.ts";

/** As `nft -j` prints it. */
const line = (name: string, age: number | undefined) => {
  const mark = {
    val: 1,
    timeout: markTimeoutSeconds,
    expires: markTimeoutSeconds - (age ?? 0),
    comment: "memory",
  };
  const flow = { elem: { val: { concat: ["10.77.0.9", "tcp", 80] }, expires: 5, counter: { packets: 1 } } };
  const elem = age === undefined ? [flow] : [flow, { elem: mark }];
  return JSON.stringify({
    nftables: [{ metainfo: { version: "1.0.6" } }, { set: { family: "inet", name, table: "weft", elem } }],
  });
};
const printed = (ages: Readonly<Record<string, number | undefined>>) =>
  markedSets.map((name) => line(name, name in ages ? ages[name] : 1000)).join("\n");

describe("how far back the memory goes", () => {
  it("is the age of its youngest part, without rounding it up", () => {
    expect(memoryAge(printed({}), 1e9)).toEqual({ seconds: 999, unmarked: [] });
    expect(memoryAge(printed({ seen_out6: 60 }), 1e9)).toEqual({ seconds: 59, unmarked: [] });
    expect(memoryAge(printed({ memory: 7 }), 1e9).seconds).toBe(6);
    expect(memoryAge(printed({ seen_in4: 0 }), 1e9).seconds).toBe(0);
  });

  it("is nothing while a part is not marked, or not there", () => {
    expect(memoryAge(printed({ seen_in4: undefined, seen_guard_in6: undefined }), 1e9)).toEqual({
      seconds: 0,
      unmarked: ["seen_in4", "seen_guard_in6"],
    });
    const lacking = printed({}).split("\n").slice(1).join("\n");
    expect(memoryAge(`Error: No such file\n${lacking}`, 1e9)).toEqual({ seconds: 0, unmarked: [] });
    expect(memoryAge("", 1e9)).toEqual({ seconds: 0, unmarked: [] });
  });

  it("is never more than the machine has been up, whatever marks were put back", () => {
    expect(memoryAge(printed({}), 12.5).seconds).toBe(12);
  });

  it("is marked a line for each set, with what no packet can be", () => {
    const lines = renderMarks(["seen_in6", "seen_out4", "nonesuch"]).trimEnd().split("\n");
    expect(lines).toEqual([
      'add element inet weft seen_in6 { :: . 255 . 0 timeout 3650d comment "memory" }',
      'add element inet weft seen_out4 { 0.0.0.0 . 255 . 0 . 0 timeout 3650d comment "memory" }',
    ]);
  });
});
