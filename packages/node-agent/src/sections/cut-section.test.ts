import { beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import { FakeClock } from "../../../../test/support/fake-host.ts";
import type { CutResult } from "../policy/flow-cutter.ts";
import { CutSection } from "./cut-section.ts";

const nothing: CutResult = { ended: 0, leftUnknown: 0, failed: 0, kept: 0, trouble: [] };
const state = { generation: 3 };

let clock: FakeClock;
let answers: (CutResult | undefined | WeftError)[];
let asked: boolean[];
let section: CutSection;

beforeEach(() => {
  clock = new FakeClock();
  answers = [];
  asked = [];
  section = new CutSection({
    clock,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    cutter: {
      cut: async (keep) => {
        asked.push(keep);
        const answer = answers.shift() ?? nothing;
        if (answer instanceof WeftError) throw answer;
        return answer;
      },
    },
  });
});

describe("a cut", () => {
  it("is made once for an occasion, and told", async () => {
    answers = [{ ...nothing, ended: 3, leftUnknown: 1 }];
    expect(await section.run("confirmed", state)).toEqual([]);
    expect(section.report).toEqual({
      occasion: "confirmed",
      generation: 3,
      ended: 3,
      leftUnknown: 1,
      failed: 0,
      kept: 0,
      at: clock.now(),
    });
    expect(await section.run(undefined, state)).toBeUndefined();
    expect(asked).toEqual([false]);
  });

  it("only counts where the state keeps flows, after a restart, too", async () => {
    answers = [{ ...nothing, kept: 2 }];
    await section.run("started", { ...state, keepEstablished: true });
    expect([asked, section.report?.kept]).toEqual([[true], 2]);
    await section.run("confirmed", { generation: 4 });
    expect(asked).toEqual([true, false]);
  });

  it("waits while a policy is armed", async () => {
    const armed: CutResult | undefined = undefined;
    section = new CutSection({
      clock,
      log: { info: () => {}, warn: () => {}, error: () => {} },
      cutter: { cut: async () => (asked.push(false) > 1 ? nothing : armed) },
    });
    expect(await section.run("started", state)).toBeUndefined();
    expect(section.report).toBeUndefined();
    expect(await section.run(undefined, state)).toEqual([]);
    expect(section.report?.occasion).toBe("started");
  });

  it("that did not end everything is a condition, tried again, ever more seldom, until nothing is left", async () => {
    const partly = { ...nothing, ended: 1, failed: 2, trouble: ["this kernel cannot"] };
    answers = [partly, { ...partly, ended: 0 }, { ...nothing, ended: 2 }];
    expect(await section.run("confirmed", state)).toEqual([
      { code: "CUT_PARTIAL", detail: "2 of 3 flows that are forbidden now live on: this kernel cannot" },
    ]);
    const first = section.report;
    expect(await section.run(undefined, state)).toBeUndefined();
    clock.advance(5_000);
    expect(await section.run(undefined, state)).toHaveLength(1);
    expect(section.report).toBe(first);
    clock.advance(5_000);
    expect(await section.run(undefined, state)).toBeUndefined();
    clock.advance(5_000);
    expect(await section.run(undefined, state)).toEqual([]);
    expect(section.report).toMatchObject({ occasion: "confirmed", ended: 3, failed: 0 });
    clock.advance(600_000);
    expect(await section.run(undefined, state)).toBeUndefined();
  });

  it("that cannot be made says why, and is tried again", async () => {
    answers = [new WeftError("WEFT-E007", "ss is not installed")];
    expect(await section.run("confirmed", state)).toEqual([
      { code: "CUT_PARTIAL", detail: "established flows could not be looked at: ss is not installed" },
    ]);
    expect(section.report).toBeUndefined();
    clock.advance(5_000);
    expect(await section.run(undefined, state)).toEqual([]);
    expect(section.report?.occasion).toBe("confirmed");
  });
});
