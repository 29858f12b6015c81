import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import * as wire from "../gen/weft/v1/agent.ts";
import type { DialAnswer, DialQuestion } from "../model/dial.ts";
import { decodeDialAnswer, decodeDialQuestion, encodeDialAnswer, encodeDialQuestion } from "./dial-codec.ts";

const question: DialQuestion = { id: 7, user: "web", destination: "10.77.0.12", port: 8080 };
const answer: DialAnswer = {
  id: 7,
  at: new Date("2026-11-22T12:00:00.250Z"),
  outcome: "refused",
  errno: "ECONNREFUSED",
};

describe("dial questions and answers", () => {
  it("come back as they went", () => {
    const ports = fc.integer({ min: 1, max: 65535 });
    fc.assert(
      fc.property(ports, fc.stringMatching(/^[a-z_][a-z0-9_-]{0,31}$/), (port, user) => {
        const asked = { ...question, port, user };
        const bytes = wire.DialQuestion.encode(encodeDialQuestion(asked)).finish();
        expect(decodeDialQuestion(wire.DialQuestion.decode(bytes))).toEqual(asked);
      }),
    );
    const answers: DialAnswer[] = [
      answer,
      { ...answer, outcome: "accepted", errno: "" },
      { ...answer, outcome: "unanswered", errno: "" },
      { ...answer, outcome: "unreachable", errno: "EHOSTUNREACH" },
    ];
    for (const told of answers) {
      const bytes = wire.DialAnswer.encode(encodeDialAnswer(told)).finish();
      expect(decodeDialAnswer(wire.DialAnswer.decode(bytes))).toEqual(told);
    }
    const none = { id: 3, problem: "it has no user web" };
    expect(decodeDialAnswer(encodeDialAnswer(none))).toEqual(none);
  });

  it("are refused when they make no sense: a question is never more than a user, an address and a port", () => {
    const bad: Partial<DialQuestion>[] = [
      { user: "" },
      { user: "-x" },
      { user: "web; id" },
      { user: "a".repeat(33) },
      { destination: "api.mesh" },
      { destination: "10.77.0.0/24" },
      { destination: "--help" },
      { port: 0 },
      { port: 65_536 },
    ];
    for (const part of bad)
      expect(() => decodeDialQuestion(encodeDialQuestion({ ...question, ...part }))).toThrow(
        expect.objectContaining({ code: "WEFT-E003" }),
      );
    const told = encodeDialAnswer(answer);
    for (const part of [
      { outcome: "maybe" },
      { at: undefined },
      { errno: "" },
      { errno: "all is well" },
      { outcome: "accepted" },
    ])
      expect(() => decodeDialAnswer({ ...told, ...part })).toThrow(
        expect.objectContaining({ code: "WEFT-E003" }),
      );
  });

  it("are bounded, whoever lies", () => {
    const heard = decodeDialAnswer(encodeDialAnswer({ id: 1, problem: "x".repeat(5_000) }));
    expect("problem" in heard ? heard.problem.length : 0).toBe(300);
  });
});
