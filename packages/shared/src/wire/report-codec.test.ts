import { describe, expect, it } from "@jest/globals";
import { sampleReport } from "../../../../test/support/fleet-sample.ts";
import { NodeReport as Message } from "../gen/weft/v1/report.ts";
import type { FloorReport } from "../model/floor.ts";
import { decodeReport, encodeReport } from "./report-codec.ts";

const refusal = { line: 4, policy: "ops", file: "mesh.yaml", ruleLine: 12, what: "from 0.0.0.0/0" };
const sent = (floor: FloorReport | undefined) =>
  decodeReport(Message.decode(Message.encode(encodeReport({ ...sampleReport, floor })).finish()));

describe("a report on the wire", () => {
  it("tells what the floor refused, and differs from one that has no word for it", () => {
    const floor: FloorReport = { state: "in-force", refusals: [refusal], leftOut: 3 };
    expect(sent(floor)).toEqual({ ...sampleReport, floor });
    expect(sent(undefined).floor).toBeUndefined();
  });

  it("is bounded, whatever a node says", () => {
    const refusals = Array.from({ length: 500 }, () => ({ ...refusal, what: "x".repeat(10_000) }));
    const { floor } = sent({ state: "in-force", refusals, leftOut: 7 });
    expect(floor?.refusals).toHaveLength(50);
    expect(floor?.refusals[0]?.what).toHaveLength(160);
    expect(floor?.leftOut).toBe(457);
  });
});
