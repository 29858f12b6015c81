import { describe, expect, it } from "@jest/globals";
import type { DialResult } from "@weft/shared/model/dial";
import fc from "fast-check";
import { dialWord, readDialWord } from "./dial-word.ts";

const errnos = fc.stringMatching(/^E[A-Z0-9]{1,20}$/);
const results: fc.Arbitrary<DialResult> = fc.oneof(
  fc.constantFrom<DialResult>({ outcome: "accepted", errno: "" }, { outcome: "unanswered", errno: "" }),
  fc.record({ outcome: fc.constantFrom("refused" as const, "unreachable" as const), errno: errnos }),
);

describe("the line of the dialling program", () => {
  it("is read back as it was written, and with anything more or less it is no such line", () => {
    fc.assert(
      fc.property(results, fc.string({ minLength: 1 }), (result, more) => {
        const line = dialWord(result);
        expect(readDialWord(line)).toEqual(result);
        expect(readDialWord(line + more)).toBeUndefined();
        expect(readDialWord(line.slice(0, -1))).toBeUndefined();
      }),
    );
  });

  it("is nothing else that a program might say", () => {
    const others = [
      "",
      "\n",
      "ok\n",
      "accepted ECONNREFUSED\n",
      "refused\n",
      "Accepted\n",
      "accepted\naccepted\n",
    ];
    for (const text of [...others, " accepted\n", "refused econnrefused\n", "unreachable E\n"])
      expect([text, readDialWord(text)]).toEqual([text, undefined]);
  });
});
