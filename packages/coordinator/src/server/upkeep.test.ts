import { beforeEach, describe, expect, it } from "@jest/globals";
import type { ErrorCode } from "@weft/shared/errors/codes";
import { WeftError } from "@weft/shared/errors/weft-error";
import { ConditionBoard } from "../rollout/condition-board.ts";
import { Upkeep } from "./upkeep.ts";

const now = new Date("2026-03-01T12:00:00Z");
const day = 24 * 3600 * 1000;
type Job = "tend" | "keep" | "refresh" | "flush";
let failing: Partial<Record<Job, ErrorCode>>;
let done: Job[];
let board: ConditionBoard;

function make(notAfter = new Date(now.getTime() + 300 * day)): Upkeep {
  const run = (job: Job) => {
    const code = failing[job];
    if (code !== undefined) throw new WeftError(code, "it failed", { why: "for a reason" });
    done.push(job);
  };
  return new Upkeep({
    identity: { tend: async () => run("tend"), keep: async () => run("keep") },
    publisher: { refresh: async () => run("refresh") },
    reports: { flush: () => run("flush") },
    signer: { notAfter },
    board,
    now: () => now,
    log: { info() {}, warn() {}, error() {} },
  });
}

const codes = () => board.list().map(({ code }) => code);

beforeEach(() => {
  failing = {};
  done = [];
  board = new ConditionBoard(() => now);
});

describe("upkeep", () => {
  it.each([
    ["tend", "WEFT-E501", "SPIRE_SERVER_AWAY"],
    ["tend", "WEFT-E206", "IDENTITY_FAILING"],
    ["keep", "WEFT-E002", "DISK_TROUBLE"],
    ["refresh", "WEFT-E200", "SIGNING_KEY_ENDED"],
    ["refresh", "WEFT-E502", "STORE_FAILING"],
  ] as const)(
    "%s failing with %s is %s, keeps no other job from its turn, and passes",
    async (job, code, shown) => {
      const upkeep = make();
      failing[job] = code;
      await upkeep.tend();
      expect(codes()).toEqual([shown]);
      expect(board.list()[0]?.detail).toContain("for a reason");
      expect(done).toHaveLength(2);
      failing = {};
      await upkeep.tend();
      expect(codes()).toEqual([]);
    },
  );

  it("shows a store that cannot be written until last words are kept again", async () => {
    const upkeep = make();
    failing.flush = "WEFT-E502";
    await upkeep.flush();
    await upkeep.tend();
    expect(codes()).toEqual(["STORE_FAILING"]);
    failing = {};
    await upkeep.flush();
    expect(codes()).toEqual([]);
  });

  it.each([
    [31, []],
    [29, ["SIGNING_KEY_ENDING"]],
    [0, ["SIGNING_KEY_ENDED"]],
  ])("warns of the signing key's end: %s days before it, %j", async (days, expected) => {
    await make(new Date(now.getTime() + days * day)).tend();
    expect(codes()).toEqual(expected);
  });

  it("throws bugs", async () => {
    const upkeep = new Upkeep({
      ...{ identity: { tend: async () => {}, keep: async () => {} }, publisher: { refresh: async () => {} } },
      reports: {
        flush: () => {
          throw new TypeError("bug");
        },
      },
      signer: { notAfter: now },
      board,
      now: () => now,
      log: { info() {}, warn() {}, error() {} },
    });
    await expect(upkeep.flush()).rejects.toThrow("bug");
  });
});
