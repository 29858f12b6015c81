// The order of the dead-man switch, and what is left when the agent is killed between any two of its steps.
// over 300 lines: one fixture, a host that may die at any call, serves all of it.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import { renderArming, renderNftables, renderStaging } from "@weft/shared/render/nftables";
import type { Slot } from "@weft/shared/render/nftables-slots";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { PolicyKernel } from "../../../../test/support/policy-kernel.ts";
import { superseded } from "../apply/runner.ts";
import type { Host } from "../host/host.ts";
import { places } from "../state/places.ts";
import { readConfirmed, readScript, writeConfirmedRecord, writeScript } from "./confirmed.ts";
import { DeadMan } from "./dead-man.ts";
import { partsOf, readKernelTable } from "./kernel-table.ts";
import { readReverted } from "./pending.ts";
import type { ReachProof } from "./reach-before.ts";

const never = new AbortController().signal;
const timeoutMs = 15_000;
const policy = (revision: number) => ({
  content: sealed({ ...emptyContent("web1"), mesh: `mesh${revision}` }),
  revision,
  uids: new Map<string, number>(),
});
function candidate(revision: number, slot: Slot) {
  const { content, uids } = policy(revision);
  const { digest } = content;
  const input = { content, revision, digest, uids };
  const [stage, arm] = [renderStaging(input, slot), renderArming(digest, timeoutMs)];
  return { text: renderNftables(input, slot), stage, arm, revision, digest, generation: revision };
}
const old = candidate(1, "a");
const next = candidate(2, "b");

class Killed extends Error {}

let fake: FakeHost;
let kernel: PolicyKernel;
/** The agent's view of it: sleeping takes no time, and it may be killed at any call. */
let host: Host;
let callsLeft: number;
/** The call under way does its work before the agent dies. */
let diesAfter: boolean;
let calls: string[];
let prove: (ports: readonly number[]) => Promise<void>;
/** Who could be reached at any moment, by the policy that judges then. */
let reached: () => Promise<readonly number[]>;
const proof: ReachProof = { ready: true, reached: () => reached(), prove: (ports) => prove(ports) };

function mortal<T extends object>(name: string, target: T): T {
  return new Proxy(target, {
    get: (inner, key) => {
      const method: unknown = Reflect.get(inner, key);
      if (typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        calls.push(`${name}.${String(key)} ${String(args[0])}`);
        callsLeft--;
        if (callsLeft < 0 || (callsLeft === 0 && !diesAfter)) throw new Killed();
        const result: unknown = await method.apply(inner, args);
        if (callsLeft === 0) throw new Killed();
        return result;
      };
    },
  });
}

/** As the load of the old rules would have written it. */
async function recordOld(): Promise<void> {
  const table = await readKernelTable(fake.exec);
  if (table === undefined) throw new Error("no table");
  const { fingerprint } = table;
  await writeConfirmedRecord(fake.files, { ...old, fingerprint, parts: partsOf(table, "a") });
}

beforeEach(async () => {
  fake = new FakeHost();
  kernel = new PolicyKernel(
    () => fake.clock.now().getTime(),
    (path) => fake.files.readText(path),
  );
  fake.exec.programs.set("nft", (args, options) => kernel.nft(args, options));
  callsLeft = Number.POSITIVE_INFINITY;
  diesAfter = false;
  calls = [];
  prove = async () => {};
  reached = async () => [22];
  const clock = {
    now: () => fake.clock.now(),
    sleep: async (ms: number) => fake.clock.advance(ms),
  };
  host = {
    files: mortal("files", fake.files),
    exec: mortal("exec", fake.exec),
    units: fake.units,
    sockets: fake.sockets,
    clock,
  };
  await fake.files.write(places.bootId, "boot1\n");
  await writeScript(fake.files, places.confirmedPolicy, old.text);
  await fake.exec.run("nft", ["-f", "-"], { input: old.text });
  await recordOld();
});
afterEach(() => fake.dispose());

const onDisk = () => readScript(fake.files, places.confirmedPolicy);
const isPending = async () => (await fake.files.info(places.pendingPolicy)) !== undefined;
const refuse = () => Promise.reject(new WeftError("WEFT-E500", "not reached"));

/** Kernel and disk say the same, and nothing is left of a try. */
async function agreement(): Promise<"old" | "new"> {
  expect([await isPending(), kernel.armed, kernel.isClean]).toEqual([false, undefined, true]);
  const text = await onDisk();
  const which = text === next.text ? next : old;
  expect(text).toBe(which.text);
  expect(kernel.confirmed).toMatchObject({ revision: which.revision, digest: which.digest });
  return which === next ? "new" : "old";
}

/** As often as it takes: an agent that finds trouble looks again. */
async function restart(): Promise<void> {
  callsLeft = Number.POSITIVE_INFINITY;
  await new DeadMan(host, proof).settle(never).catch((failure: unknown) => {
    expect(failure).toMatchObject({ code: "WEFT-E403" });
  });
}

describe("DeadMan", () => {
  it("arms only what is on disk, confirms only what was proved, and keeps only what the kernel carries", async () => {
    const order: string[] = [];
    prove = async () => {
      order.push(`proof: judging ${kernel.judging === next.digest ? "new" : "old"}`);
      order.push(`proof: pending ${await isPending()}, confirmed ${(await onDisk()) === old.text}`);
      armedAt = deadMan.judgesSince?.at;
    };
    let armedAt: Date | undefined;
    const deadMan = new DeadMan(host, proof);
    expect(deadMan.judgesSince).toBeUndefined();
    await deadMan.put(next, never);
    expect(armedAt).toBeDefined();
    expect(deadMan.judgesSince).toEqual({ digest: next.digest, at: armedAt });
    expect((await readConfirmed(fake.files))?.fingerprint).not.toBe("");
    expect(order).toEqual(["proof: judging new", "proof: pending true, confirmed true"]);
    expect(await agreement()).toBe("new");
    expect(await readScript(fake.files, places.previousPolicy)).toBe(old.text);
    const at = (what: RegExp) => calls.findIndex((call) => what.test(call));
    expect(at(/files\.write .*pending\.nft/)).toBeLessThan(at(/exec\.run nft/));
    expect(at(/files\.rename .*pending/)).toBeGreaterThan(calls.findLastIndex((call) => /exec/.test(call)));
  });

  it("demands what was reached right before, written down before the kernel judges by the new rules", async () => {
    const seen: unknown[] = [];
    reached = async () => {
      seen.push(["asked", kernel.judging === old.digest, await isPending()]);
      return [22, 2222];
    };
    prove = async (ports) => {
      const { reached: noted } = JSON.parse((await fake.files.readText(places.pendingRecord)) ?? "{}");
      seen.push(["proved", ports, noted, kernel.judging === next.digest]);
    };
    await new DeadMan(host, proof).put(next, never);
    expect(seen).toEqual([
      ["asked", true, false],
      ["proved", [22, 2222], [22, 2222], true],
    ]);
  });

  it("tries nothing when nobody says what is reached", async () => {
    reached = refuse;
    await expect(new DeadMan(host, proof).put(next, never)).rejects.toMatchObject({ code: "WEFT-E404" });
    expect(await agreement()).toBe("old");
    expect(await readReverted(fake.files)).toBeUndefined();
  });

  it("demands the same after a restart, whatever could be reached then", async () => {
    for (const isReached of [true, false]) {
      prove = () => Promise.reject(new Killed());
      await new DeadMan(host, proof).put(next, never).catch(() => {});
      expect(kernel.judging).toBe(next.digest);
      reached = () => Promise.reject(new Error("asked while the new rules judge"));
      const demanded: (readonly number[])[] = [];
      prove = async (ports) => {
        demanded.push(ports);
        if (!isReached) throw new WeftError("WEFT-E403", "not reached");
      };
      await restart();
      expect(new Set(demanded.map(String))).toEqual(new Set(["22"]));
      expect(await agreement()).toBe(isReached ? "new" : "old");
      await fake.exec.run("nft", ["-f", "-"], { input: old.text });
      await writeScript(fake.files, places.confirmedPolicy, old.text);
      reached = async () => [22];
    }
  });

  it.each([
    ["of another release", { generation: 2, digest: next.digest, bootId: "boot1" }],
    ["that is damaged", undefined],
  ])("does not confirm what is armed by a record %s: it goes back", async (_, record) => {
    prove = () => Promise.reject(new Killed());
    await new DeadMan(host, proof).put(next, never).catch(() => {});
    await fake.files.write(places.pendingRecord, record === undefined ? "{" : JSON.stringify(record));
    prove = async () => {};
    expect(await new DeadMan(host, proof).settle(never)).toBe("reverted");
    expect(await agreement()).toBe("old");
  });

  it("clears away a pending policy whose text is damaged, and leaves the kernel to the plan", async () => {
    prove = () => Promise.reject(new Killed());
    await new DeadMan(host, proof).put(next, never).catch(() => {});
    await fake.files.write(places.pendingPolicy, next.text.slice(0, 100));
    expect(await new DeadMan(host, proof).settle(never)).toBeUndefined();
    expect(await isPending()).toBe(false);
  });

  it.each(["the rule that chooses was deleted", "the confirmed slot was emptied"])(
    "goes back at once when %s while it waits for its proof",
    async (what) => {
      for (const isProved of [true, false]) {
        prove = async () => {
          kernel.tamper(what);
          if (!isProved) throw new WeftError("WEFT-E403", "not reached");
        };
        const began = fake.clock.now().getTime();
        await expect(new DeadMan(host, proof).put(next, never)).rejects.toMatchObject({
          code: "WEFT-E403",
          why: expect.stringContaining("somebody changed the rules"),
        });
        expect(fake.clock.now().getTime() - began).toBeLessThan(timeoutMs);
        expect(await agreement()).toBe("old");
      }
    },
  );

  it("does not take for confirmed what somebody puts into the candidate between proof and confirm", async () => {
    fake.exec.programs.set("nft", (args, options) => {
      if (options.input?.startsWith("delete element inet weft armed") === true) kernel.tamperSlot("a rule");
      return kernel.nft(args, options);
    });
    await new DeadMan(host, proof).put(next, never);
    // unknown: the next look loads the file again
    expect(await readConfirmed(fake.files)).toMatchObject({ digest: next.digest, fingerprint: "" });
  });

  it("does not take for confirmed what was done to the table while the agent was dead, and knows it of the next", async () => {
    for (const man of [candidate(2, "b"), candidate(3, "a")]) {
      const kept = (await readConfirmed(fake.files))?.parts;
      fake.exec.programs.set("nft", async (args, options) => {
        const result = await kernel.nft(args, options);
        if (options.input?.startsWith("delete element inet weft armed") === true) throw new Killed();
        return result;
      });
      await expect(new DeadMan(host, proof).put(man, never)).rejects.toThrow(Killed);
      fake.exec.programs.set("nft", (args, options) => kernel.nft(args, options));
      kernel.tamper("the rule that chooses was deleted");
      expect(await new DeadMan(host, proof).settle(never)).toBe("confirmed");
      const { digest, fingerprint, parts } = (await readConfirmed(fake.files)) ?? {};
      expect({ digest, fingerprint, parts }).toEqual({
        digest: man.digest,
        fingerprint: "",
        parts: { ...kept, slot: "" },
      });
      kernel.tamper("");
    }
  });

  it("does not arm over confirmed rules that are not whole any more", async () => {
    let isStaged = false;
    fake.exec.programs.set("nft", (args, options) => {
      if (!isStaged && options.input === next.stage) {
        isStaged = true;
        kernel.tamperSlot("emptied");
      }
      return kernel.nft(args, options);
    });
    await expect(new DeadMan(host, proof).put(next, never)).rejects.toMatchObject({
      code: "WEFT-E403",
      why: expect.stringContaining("somebody changed the rules"),
    });
    expect(await agreement()).toBe("old");
  });

  it.each(["the table cannot be read", "the record cannot be written"])(
    "is REVERTED, and not armed again by itself, when %s once the new rules judge",
    async (what) => {
      const fails = () => kernel.judging === next.digest;
      const trouble = new WeftError("WEFT-E002", what);
      if (what.includes("table"))
        fake.exec.programs.set("nft", (args, options) => {
          if (args[2] === "table" && fails()) throw trouble;
          return kernel.nft(args, options);
        });
      else {
        const { files } = host;
        const write: typeof files.write = (path, ...rest) =>
          path === places.pendingRecord && fails() ? Promise.reject(trouble) : files.write(path, ...rest);
        host = {
          ...host,
          files: new Proxy(files, { get: (of, key) => (key === "write" ? write : Reflect.get(of, key)) }),
        };
      }
      await expect(new DeadMan(host, proof).put(next, never)).rejects.toMatchObject({
        code: "WEFT-E403",
        why: what,
      });
      fake.exec.programs.set("nft", (args, options) => kernel.nft(args, options));
      expect(await agreement()).toBe("old");
      expect(await readReverted(fake.files)).toMatchObject({ digest: next.digest, reason: what });
    },
  );

  it("does not confirm after a restart what is REVERTED already and armed still", async () => {
    fake.exec.programs.set("nft", (args, options) => {
      if (args[0] === "-c") return { code: 1, stderr: "killed" };
      if (options.input === old.text) throw new Killed();
      return kernel.nft(args, options);
    });
    await expect(new DeadMan(host, proof).put(next, never)).rejects.toThrow(Killed);
    expect([kernel.judging, (await readReverted(fake.files))?.digest]).toEqual([next.digest, next.digest]);
    fake.exec.programs.set("nft", (args, options) => kernel.nft(args, options));
    expect(await new DeadMan(host, proof).settle(never)).toBe("reverted");
    expect(await agreement()).toBe("old");
  });

  it("asks once what is reached when it was asked before, and anew when that counts no more", async () => {
    let asked = 0;
    reached = async () => [++asked];
    const demanded: (readonly number[])[] = [];
    prove = async (ports) => void demanded.push(ports);
    const deadMan = new DeadMan(host, proof);
    await deadMan.ask(next.text, never);
    expect([deadMan.isAsked(next.digest), deadMan.isAsked(old.digest)]).toEqual([true, false]);
    await deadMan.put(next, never);
    deadMan.unask();
    expect(deadMan.isAsked(next.digest)).toBe(false);
    await deadMan.put(candidate(3, "a"), never);
    expect(demanded).toEqual([[1], [2]]);
  });

  it("goes back by the kernel alone when the confirmed file is damaged meanwhile", async () => {
    await writeScript(fake.files, places.previousPolicy, "older");
    prove = async () => {
      await fake.files.write(places.confirmedPolicy, "cut");
      throw new WeftError("WEFT-E403", "not reached");
    };
    await expect(new DeadMan(host, proof).put(next, never)).rejects.toMatchObject({ code: "WEFT-E403" });
    expect([kernel.judging, kernel.armed, kernel.confirmed?.digest]).toEqual([
      old.digest,
      undefined,
      old.digest,
    ]);
  });

  it("tries a proof again while there is time", async () => {
    let tries = 0;
    prove = () => (++tries < 4 ? refuse() : Promise.resolve());
    await new DeadMan(host, proof).put(next, never);
    expect(await agreement()).toBe("new");
  });

  it("goes back by the kernel's own clock, says why, and remembers it", async () => {
    prove = refuse;
    await expect(new DeadMan(host, proof).put(next, never)).rejects.toMatchObject({
      code: "WEFT-E403",
      why: "not reached",
    });
    expect(await agreement()).toBe("old");
    expect(await readReverted(fake.files)).toEqual({
      generation: 2,
      digest: next.digest,
      reason: "not reached",
    });
  });

  it("changes nothing by a proof that comes too late", async () => {
    prove = async () => fake.clock.advance(timeoutMs);
    await expect(new DeadMan(host, proof).put(next, never)).rejects.toMatchObject({ code: "WEFT-E403" });
    expect(await agreement()).toBe("old");
  });

  it("knows since when the kernel judges by it, however late it hears of it", async () => {
    // a busy machine: nft takes a while to start, and longer until it is heard of again
    fake.exec.programs.set("nft", async (args, options) => {
      fake.clock.advance(20);
      const result = await kernel.nft(args, options);
      if (kernel.armed !== undefined) since ??= fake.clock.now().getTime();
      fake.clock.advance(since === undefined ? 0 : args[0] === "-f" ? 700 : 10);
      return result;
    });
    let since: number | undefined;
    const deadMan = new DeadMan(host, proof);
    await deadMan.put(next, never);
    expect(Math.abs((deadMan.judgesSince?.at.getTime() ?? 0) - (since ?? 0))).toBeLessThanOrEqual(15);
  });

  it("makes way for a newer state at once, and leaves a stop to the kernel", async () => {
    for (const reason of [superseded, new Error("stop")]) {
      const stop = new AbortController();
      prove = async () => {
        stop.abort(reason);
        throw new WeftError("WEFT-E500", "cancelled");
      };
      await expect(new DeadMan(host, proof).put(next, stop.signal)).rejects.toBe(reason);
      if (reason === superseded) expect(await agreement()).toBe("old");
      else expect([kernel.judging, await isPending()]).toEqual([next.digest, true]);
    }
    fake.clock.advance(timeoutMs);
    expect(kernel.judging).toBe(old.digest);
  });

  it("agrees with kernel and disk after being killed between any two steps, proved or not", async () => {
    const ends = new Set<string>();
    for (const proved of [true, false])
      for (const after of [false, true])
        for (const late of [false, true])
          for (let killedAt = 1; ; killedAt++) {
            await fake.exec.run("nft", ["-f", "-"], { input: old.text });
            await writeScript(fake.files, places.confirmedPolicy, old.text);
            await recordOld();
            await fake.files.remove(places.revertedRecord);
            prove = proved ? async () => {} : refuse;
            [callsLeft, diesAfter] = [killedAt, after];
            const end = await new DeadMan(host, proof).put(next, never).then(
              () => "done",
              (failure: unknown) => (failure instanceof Killed ? "killed" : "undone"),
            );
            callsLeft = Number.POSITIVE_INFINITY;
            // what boot would load is always one of the two, whole
            expect([old.text, next.text]).toContain(await onDisk());
            if (kernel.confirmed?.digest === old.digest) expect(await onDisk()).toBe(old.text);
            if (late) fake.clock.advance(timeoutMs);
            if (end === "killed") await restart();
            const outcome = await agreement();
            if (!proved) expect(outcome).toBe("old");
            ends.add(`${end} ${outcome}`);
            if (end !== "killed") break;
          }
    expect(ends).toEqual(new Set(["done new", "killed new", "killed old", "undone old"]));
  }, 120_000);

  it("survives being killed again while it settles", async () => {
    for (let first = 1; first < 30; first += 3)
      for (let second = 1; second < 12; second++) {
        await fake.exec.run("nft", ["-f", "-"], { input: old.text });
        await writeScript(fake.files, places.confirmedPolicy, old.text);
        prove = second % 2 === 0 ? async () => {} : refuse;
        for (const count of [first, second]) {
          callsLeft = count;
          const man = new DeadMan(host, proof);
          await (count === first ? man.put(next, never) : man.settle(never)).catch(() => {});
        }
        await restart();
        await agreement();
        await fake.files.remove(places.revertedRecord);
      }
  });

  it("takes a pending policy from before a reboot for undone, and never arms it by itself", async () => {
    prove = () => Promise.reject(new Killed());
    await new DeadMan(host, proof).put(next, never).catch(() => {});
    prove = refuse;
    expect(await isPending()).toBe(true);
    await fake.files.write(places.bootId, "boot2\n");
    await fake.exec.run("nft", ["-f", "-"], { input: (await onDisk()) ?? "" });
    expect(await new DeadMan(host, proof).settle(never)).toBe("reverted");
    expect(await agreement()).toBe("old");
    expect((await readReverted(fake.files))?.digest).toBe(next.digest);
  });
});
