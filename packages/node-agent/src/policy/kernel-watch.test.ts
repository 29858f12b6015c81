// The watch says "unchanged" only of what it would have heard.
import { describe, expect, it } from "@jest/globals";
import type { Clock, Exec } from "../host/host.ts";
import { KernelWatch } from "./kernel-watch.ts";

function world() {
  let time = 100_000;
  const monitors: { readonly say: (line: string) => void; readonly end: () => void }[] = [];
  const sleeps: (() => void)[] = [];
  const exec = {
    lines: (program: string, args: readonly string[], say: (line: string) => void, signal: AbortSignal) => {
      expect([program, ...args]).toEqual(["nft", "monitor"]);
      const done = new Promise<number>((resolve) => {
        monitors.push({ say, end: () => resolve(1) });
        signal.addEventListener("abort", () => resolve(0));
      });
      return { done };
    },
  } as unknown as Exec;
  const clock: Clock = {
    now: () => new Date(time),
    sleep: () => new Promise((resolve) => sleeps.push(resolve)),
  };
  const calls = { changes: 0 };
  const watch = new KernelWatch(exec, clock, () => calls.changes++);
  const stop = new AbortController();
  const ended = watch.run(stop.signal);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    watch,
    monitors,
    sleeps,
    calls,
    stop,
    ended,
    settle,
    now: () => time,
    pass: (ms: number) => (time += ms),
  };
}

describe("KernelWatch", () => {
  it("vouches for nothing read before it surely listened", async () => {
    const { watch, now, pass, stop, ended } = world();
    const early = now();
    pass(10_000);
    expect(watch.unchangedSince(early)).toBe(false);
    expect(watch.unchangedSince(now())).toBe(true);
    stop.abort();
    await ended;
    expect(watch.unchangedSince(now())).toBe(false);
  });

  it("calls once a transaction that touches Weft's table is complete", () => {
    const { watch, monitors, calls, now, pass } = world();
    pass(10_000);
    const read = now();
    pass(1);
    monitors[0]?.say("delete rule inet weft input handle 422");
    expect(calls.changes).toBe(0);
    expect(watch.unchangedSince(read)).toBe(false);
    monitors[0]?.say("# new generation 7 by process 12 (nft)");
    expect(calls.changes).toBe(1);
    pass(1);
    expect(watch.unchangedSince(now())).toBe(true);
  });

  it("passes over the tables of others", () => {
    const { watch, monitors, calls, now, pass } = world();
    pass(10_000);
    const read = now();
    pass(1);
    monitors[0]?.say("add rule ip filter INPUT handle 4 accept");
    monitors[0]?.say("# new generation 8 by process 13 (iptables-nft)");
    expect(calls.changes).toBe(0);
    expect(watch.unchangedSince(read)).toBe(true);
  });

  it("has everything looked at again when the monitor ends, and starts another", async () => {
    const { watch, monitors, sleeps, calls, now, pass, settle } = world();
    pass(10_000);
    const read = now();
    monitors[0]?.end();
    await settle();
    expect(watch.unchangedSince(read)).toBe(false);
    expect(calls.changes).toBe(1);
    sleeps[0]?.();
    await settle();
    expect(monitors).toHaveLength(2);
    pass(10_000);
    expect(watch.unchangedSince(read)).toBe(false);
  });
});
