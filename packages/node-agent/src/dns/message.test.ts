import { describe, expect, it } from "@jest/globals";
import { isWeftError } from "@weft/shared/errors/weft-error";
import fc from "fast-check";
import { decodeResponse, encodeQuery } from "./message.ts";

const header = (flags: number, questions: number, answers: number) => [
  0x12,
  0x34,
  flags >> 8,
  flags & 0xff,
  0,
  questions,
  0,
  answers,
  0,
  0,
  0,
  0,
];
const question = [3, 0x77, 0x65, 0x62, 4, 0x6d, 0x65, 0x73, 0x68, 0, 0, 1, 0, 1]; // web.mesh A IN
const record = (type: number, data: readonly number[]) => [
  0xc0,
  12,
  0,
  type,
  0,
  1,
  0,
  0,
  0,
  5,
  0,
  data.length,
  ...data,
];
const response = (...parts: readonly (readonly number[])[]) => Uint8Array.from(parts.flat());

describe("encodeQuery", () => {
  it("writes one question with recursion desired", () => {
    expect([...encodeQuery(0x1234, "web.mesh", "A")]).toEqual([...header(0x0100, 1, 0), ...question]);
  });

  it("asks for the root with an empty name", () => {
    expect([...encodeQuery(1, "", "NS")].slice(12)).toEqual([0, 0, 2, 0, 1]);
  });

  it.each(["a..b", "a".repeat(64)])("refuses %s", (name) => {
    expect(() => encodeQuery(1, name, "A")).toThrow();
  });
});

describe("decodeResponse", () => {
  it("reads addresses, services and names, compressed ones too", () => {
    const message = decodeResponse(
      response(
        header(0x8180, 1, 4),
        question,
        record(1, [10, 77, 0, 12]),
        record(28, [0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12]),
        record(33, [0, 1, 0, 2, 0x1f, 0x90, 3, 0x61, 0x70, 0x69, 0xc0, 16]),
        record(2, [0xc0, 16]),
      ),
    );
    expect(message).toEqual({
      id: 0x1234,
      code: "NOERROR",
      truncated: false,
      question: { name: "web.mesh", type: 1 },
      answers: [
        { name: "web.mesh", type: "A", value: "10.77.0.12" },
        { name: "web.mesh", type: "AAAA", value: "fd77::12" },
        { name: "web.mesh", type: "SRV", value: "1 2 8080 api.mesh" },
        { name: "web.mesh", type: "NS", value: "mesh" },
      ],
    });
  });

  it.each([
    [0x8183, "NXDOMAIN"],
    [0x8182, "SERVFAIL"],
    [0x8185, "REFUSED"],
    [0x818f, "OTHER"],
  ])("reads the code of %p", (flags, code) => {
    expect(decodeResponse(response(header(flags, 1, 0), question)).code).toBe(code);
  });

  it("leaves out what it does not ask for", () => {
    expect(decodeResponse(response(header(0x8180, 1, 1), question, record(16, [1, 0x61]))).answers).toEqual(
      [],
    );
  });

  it.each([
    ["a query", response(header(0x0100, 1, 0), question)],
    ["a name that points at itself", response(header(0x8180, 1, 0), [0xc0, 12, 0, 1, 0, 1])],
    ["a name that points forward", response(header(0x8180, 1, 0), [0xc0, 16, 0, 1, 0, 1, 0])],
    [
      "a record longer than the message",
      response(header(0x8180, 1, 1), question, [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 9, 1]),
    ],
    ["no bytes", new Uint8Array()],
  ])("refuses %s", (_what, bytes) => {
    expect(() => decodeResponse(bytes)).toThrow();
  });

  it("ends on any bytes, with a message or a refusal", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.uint8Array({ maxLength: 300 }).map((tail) => response(header(0x8180, 1, 3), question, [...tail])),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          decodeResponse(input);
        } catch (failure) {
          if (!isWeftError(failure)) throw failure;
        }
      }),
    );
  });
});
