import { beforeEach, describe, expect, it } from "@jest/globals";
import { sampleCilium } from "../../../../test/support/cilium/sample-endpoint.ts";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeClock } from "../../../../test/support/fake-host.ts";
import type { CutResult } from "../policy/flow-cutter.ts";
import { CutSection } from "./cut-section.ts";
import { Cuts } from "./cuts.ts";

const nothing: CutResult = { ended: 0, leftUnknown: 0, failed: 0, kept: 0, trouble: [] };
const plain = { ...sealed(emptyContent("web1")), generation: 3, revision: 3 };
const wanted = { ...plain, cilium: sampleCilium("web") };

let clock: FakeClock;
let answers: { machine: CutResult; endpoints: CutResult };
let looked: string[];
let cuts: Cuts;
beforeEach(() => {
  clock = new FakeClock();
  answers = { machine: nothing, endpoints: nothing };
  looked = [];
  const section = (of: keyof typeof answers) =>
    new CutSection({
      clock,
      log: { info: () => {}, warn: () => {}, error: () => {} },
      cutter: {
        cut: async () => {
          looked.push(of);
          return answers[of];
        },
      },
    });
  cuts = new Cuts(section("machine"), section("endpoints"));
});

describe("flows of endpoints", () => {
  it("are looked at when these enforce what is wanted, once", async () => {
    expect(await cuts.ofEndpoints(undefined, wanted)).toBeUndefined();
    expect(await cuts.ofEndpoints("of another state", wanted)).toBeUndefined();
    // what was said of endpoints that are gone does not stand on
    expect(await cuts.ofEndpoints(plain.digest, plain)).toEqual([]);
    expect(looked).toEqual([]);
    expect(await cuts.ofEndpoints(wanted.digest, wanted)).toEqual([]);
    expect(await cuts.ofEndpoints(wanted.digest, wanted)).toBeUndefined();
    expect(looked).toEqual(["endpoints"]);
  });

  it("are looked at again where one of them could not be", async () => {
    answers.endpoints = { ...nothing, again: true, trouble: ["web: late"] };
    expect(await cuts.ofEndpoints(wanted.digest, wanted)).toMatchObject([{ code: "CUT_PARTIAL" }]);
    answers.endpoints = { ...nothing, ended: 1 };
    clock.advance(5_000);
    expect(await cuts.ofEndpoints(wanted.digest, wanted)).toEqual([]);
  });

  it("are looked at again where some lived on", async () => {
    answers.endpoints = { ...nothing, failed: 2, trouble: ["still there"] };
    expect(await cuts.ofEndpoints(wanted.digest, wanted)).toMatchObject([{ code: "CUT_PARTIAL" }]);
    answers.endpoints = { ...nothing, ended: 2 };
    expect(await cuts.ofEndpoints(wanted.digest, wanted)).toBeUndefined();
    clock.advance(5_000);
    expect(await cuts.ofEndpoints(wanted.digest, wanted)).toEqual([]);
    expect(looked).toEqual(["endpoints", "endpoints"]);
  });
});

describe("the report", () => {
  it("is of both, and not before both have looked", async () => {
    answers = { machine: { ...nothing, ended: 3, kept: 1 }, endpoints: { ...nothing, ended: 2, failed: 1 } };
    await cuts.ofMachine("confirmed", wanted);
    expect([cuts.report(wanted), cuts.report(plain)?.ended]).toEqual([undefined, 3]);
    await cuts.ofEndpoints(wanted.digest, wanted);
    expect(cuts.report(wanted)).toMatchObject({ generation: 3, ended: 5, kept: 1, failed: 1 });
    await cuts.ofMachine("confirmed", { ...wanted, generation: 4 });
    expect(cuts.report(wanted)).toMatchObject({ generation: 3, ended: 2 });
  });
});
