import { describe, expect, it } from "@jest/globals";
import { ConditionBoard } from "./condition-board.ts";

describe("the coordinator's own conditions", () => {
  it("stand as long as one finder sees them, since the first of them did", () => {
    let now = 1;
    const board = new ConditionBoard(() => new Date(now));
    expect(board.set("SPIRE_SERVER_AWAY", "a", "no answer")).toBe(true);
    now = 2;
    expect(board.set("SPIRE_SERVER_AWAY", "a", "no answer")).toBe(false);
    expect(board.set("SPIRE_SERVER_AWAY", "b", "refused")).toBe(true);
    expect(board.list()).toEqual([{ code: "SPIRE_SERVER_AWAY", detail: "no answer", since: new Date(1) }]);
    expect(board.set("SPIRE_SERVER_AWAY", "a", undefined)).toBe(true);
    expect(board.list()).toEqual([{ code: "SPIRE_SERVER_AWAY", detail: "refused", since: new Date(2) }]);
    board.set("SPIRE_SERVER_AWAY", "b", undefined);
    expect(board.list()).toEqual([]);
  });
});
