import { getEventListeners } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "@jest/globals";
import type { ErrorCode } from "@weft/shared/errors/codes";
import { WeftError } from "@weft/shared/errors/weft-error";
import { Handlers } from "./handlers.ts";

describe("handlers", () => {
  it.each<[ErrorCode, number]>([
    ["WEFT-E201", 1],
    ["WEFT-E208", 0],
  ])("write a line for a refusal %s: %i", (code, lines) => {
    const said: string[] = [];
    const say = (message: string) => said.push(message);
    new Handlers({ info: say, warn: say, error: say }).report("Join", new WeftError(code, "no"));
    expect(said).toHaveLength(lines);
  });

  it("keep nothing of a message that has left a long stream", async () => {
    const quiet = () => {};
    const stream = new PassThrough({ objectMode: true });
    stream.resume();
    let kept = -1;
    const finished = new Promise((resolve) => stream.once("close", resolve));
    new Handlers({ info: quiet, warn: quiet, error: quiet }).streaming<string, string>(
      "Watch",
      async (_request, send, signal) => {
        for (let sent = 0; sent < 50; sent++) await send("word");
        kept = getEventListeners(signal, "abort").length;
      },
    )(stream as never);
    await finished;
    expect(kept).toBe(0);
  });
});
