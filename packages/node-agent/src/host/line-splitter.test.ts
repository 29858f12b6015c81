// Whatever the pieces, the lines are the same; and a line without end is not kept.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { lineSplitter } from "./line-splitter.ts";

function split(pieces: readonly Buffer[]): { lines: string[]; lengths: number[] } {
  const lines: string[] = [];
  const lengths: number[] = [];
  const take = lineSplitter((line, length) => {
    lines.push(line);
    lengths.push(length);
  });
  for (const piece of pieces) take(piece);
  return { lines, lengths };
}

describe("lineSplitter", () => {
  it("gives the same lines however they come", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat(60)), (texts, cuts) => {
        const lines = texts.map((text) => text.replaceAll("\n", " "));
        const whole = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const at = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
        const pieces = [0, ...at].map((from, index) => whole.subarray(from, at[index] ?? whole.length));
        expect(split(pieces).lines).toEqual(lines);
      }),
    );
  });

  it("keeps the beginning of a long line, and tells how long it was", () => {
    const piece = Buffer.alloc(100_000, "x");
    const { lines, lengths } = split([piece, piece, piece, Buffer.from("\nnext\n")]);
    expect(lines.map((line) => line.length)).toEqual([4096, 4]);
    expect(lengths).toEqual([300_000, 4]);
  });
});
