import { describe, expect, it } from "@jest/globals";
import { encodeLine, type LabAnswer, parseAnswer, parseRequest } from "./protocol.ts";

describe("the control socket's messages", () => {
  it("survive the wire", () => {
    const failed: LabAnswer = { kind: "failed", code: "WEFT-E600", message: "no", hint: "try" };
    expect(parseAnswer(encodeLine(failed))).toEqual(failed);
    expect(parseRequest(encodeLine({ op: "cut", machine: "web1" }))).toEqual({ op: "cut", machine: "web1" });
  });

  it.each(['{"op":"format"}', '{"op":"up","nodes":-1}', '{"op":"reboot"}', "not json"])(
    "refuses %s",
    (line) => {
      expect(() => parseRequest(line)).toThrow();
    },
  );
});
