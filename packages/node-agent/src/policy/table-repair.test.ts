// The way back: when it is taken, when it is not, and what is said of it.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { rulesetFingerprint } from "@weft/shared/render/nftables";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { PolicyKernel } from "../../../../test/support/policy-kernel.ts";
import { places } from "../state/places.ts";
import { writeConfirmedRecord, writeScript } from "./confirmed.ts";
import { TableMemory } from "./kernel-table.ts";
import type { LeakBound, Leaks } from "./leak-witness.ts";
import { TableRepair } from "./table-repair.ts";

const digest = "a".repeat(64);
const script = `add rule inet weft input goto a_input
add element inet weft rev {
  3 comment "digest=${digest}"
}
`;
const nft = { author: { pid: 70, comm: "nft" }, acts: ["delete table"], isElsewhere: false };

let host: FakeHost;
let kernel: PolicyKernel;
let repair: TableRepair;
let leaks: Leaks | LeakBound | undefined;
let told: number;
let stop: AbortController;
let running: Promise<void>;

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    if (host.clock.sleeping > 0) host.clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
const loads = () => host.exec.calls.filter((call) => call.startsWith("nft -f"));
const reads = () => host.exec.calls.filter((call) => call.startsWith("nft -j"));
const codes = () => repair.findings().map(({ code }) => code);

beforeEach(async () => {
  host = new FakeHost();
  kernel = new PolicyKernel(
    () => host.clock.now().getTime(),
    (path) => host.files.readText(path),
  );
  host.exec.programs.set("nft", (args, options) => kernel.nft(args, options));
  await writeScript(host.files, places.confirmedPolicy, script);
  await kernel.nft(["-f", places.confirmedPolicy], {});
  const listed = (await kernel.nft(["-j", "list", "table"], {})).stdout ?? "";
  await writeConfirmedRecord(host.files, { revision: 3, digest, fingerprint: rulesetFingerprint(listed) });
  leaks = { kind: "counted", packets: 0, flows: 0, isAtLeast: false };
  told = 0;
  repair = new TableRepair({
    host,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    witness: { takeLeaks: async () => leaks, forget: async () => {} },
    memory: new TableMemory(),
    onRepair: () => {
      told += 1;
    },
  });
  stop = new AbortController();
  running = repair.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await running;
  host.dispose();
});

describe("TableRepair", () => {
  it("puts the confirmed file back, and says what was wrong, who did it and what passed", async () => {
    leaks = { kind: "counted", packets: 7, flows: 2, isAtLeast: false };
    kernel.confirmed = undefined;
    repair.heard(nft);
    await until("it is back", () => kernel.confirmed?.digest === digest && told === 2);
    expect(repair.findings()).toEqual([
      {
        code: "POLICY_REPAIRED",
        detail: expect.stringMatching(
          /^table inet weft was gone \(delete table\), by nft \(process 70.*\); put back \d+ ms after that was heard; 7 first packets .*\(2 pairs/,
        ),
      },
    ]);
    expect([repair.takeCutDue(), repair.takeCutDue()]).toEqual([true, false]);
    host.clock.advance(60_000);
    expect(repair.findings()).toEqual([]);
  });

  it("leaves alone what is as it was confirmed", async () => {
    repair.heard(nft);
    await until("it has looked", () => reads().length === 1);
    await until("it rests", () => host.clock.sleeping === 1);
    expect([loads(), codes(), repair.takeCutDue()]).toEqual([[], [], false]);
  });

  it("looks again after a word that came while it was reading", async () => {
    let isFirst = true;
    host.exec.programs.set("nft", async (args, options) => {
      const said = await kernel.nft(args, options);
      if (isFirst && args[0] === "-j") {
        isFirst = false;
        kernel.confirmed = undefined;
        repair.heard(nft);
      }
      return said;
    });
    repair.heard({ author: undefined, acts: [], isElsewhere: false });
    await until("it is back", () => kernel.confirmed?.digest === digest && loads().length === 1);
  });

  it("leaves a pending policy to the dead-man switch, and has the agent look", async () => {
    await host.files.write(places.pendingPolicy, script);
    kernel.confirmed = undefined;
    repair.heard(nft);
    await until("it was told", () => told === 1);
    expect([loads(), reads()]).toEqual([[], []]);
  });

  it("does not come in between of an apply, and looks right after it", async () => {
    let finish = () => {};
    const applying = repair.exclusively(() => new Promise<void>((resolve) => (finish = resolve)));
    kernel.confirmed = undefined;
    repair.heard(nft);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(reads()).toEqual([]);
    finish();
    await applying;
    await until("it is back", () => kernel.confirmed?.digest === digest);
  });

  it("does not forget its turn when an apply fails", async () => {
    await expect(repair.exclusively(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    kernel.confirmed = undefined;
    repair.heard(nft);
    await until("it is back", () => kernel.confirmed?.digest === digest);
  });

  it("raises an alarm with the third repair in 10 s, goes on, and lets it go after a quiet minute", async () => {
    for (let round = 1; round <= 5; round++) {
      kernel.confirmed = undefined;
      repair.heard(nft);
      await until(`repair ${round}`, () => loads().length === round && told >= 2 * round);
      expect(codes().includes("POLICY_FIGHT")).toBe(round >= 3);
    }
    const fight = repair.findings().find(({ code }) => code === "POLICY_FIGHT");
    expect(fight?.detail).toMatch(/^put back 5 times, 5 of them after nft; 0 first packets/);
    host.clock.advance(60_000);
    expect(codes()).toEqual([]);
  });

  it("says when nothing can be counted", async () => {
    leaks = undefined;
    kernel.confirmed = undefined;
    repair.heard({ author: undefined, acts: [], isElsewhere: false });
    await until("it was told", () => told === 2);
    expect(repair.findings()[0]?.detail).toMatch(/by unknown process;.*cannot be counted here$/);
  });

  it("gives a bound when the record is gone as well", async () => {
    leaks = { kind: "bound", accepted: 25, withinMs: 2_345 };
    kernel.confirmed = undefined;
    repair.heard(nft);
    await until("it was told", () => told === 2);
    expect(repair.findings()[0]?.detail).toMatch(/at most the 25 TCP connections .* in 2.3 s, allowed ones/);
  });

  it("has the agent look when the kernel takes nothing", async () => {
    kernel.confirmed = undefined;
    host.exec.programs.set("nft", () => ({ code: 1, stderr: "Operation not permitted" }));
    repair.heard(nft);
    await until("it was told", () => told === 1);
    expect(codes()).toEqual([]);
  });
});
