// The watch says "unchanged" only of what it would have heard, names who did it, and does not listen to a torrent.
import { describe, expect, it } from "@jest/globals";
import type { Clock, Exec } from "../host/host.ts";
import { type ChangeWord, KernelWatch } from "./kernel-watch.ts";

interface Monitor {
  say(line: string, length?: number): void;
  end(): void;
  readonly signal: AbortSignal;
}

function world() {
  let time = 100_000;
  const monitors: Monitor[] = [];
  const sleeps: { readonly ms: number; readonly wake: () => void }[] = [];
  const exec = {
    lines: (
      program: string,
      args: readonly string[],
      onLine: (line: string, length: number) => void,
      signal: AbortSignal,
    ) => {
      expect([program, ...args]).toEqual(["nft", "monitor"]);
      const done = new Promise<number>((resolve) => {
        const say = (line: string, length = line.length) => onLine(line, length);
        monitors.push({ say, end: () => resolve(1), signal });
        signal.addEventListener("abort", () => resolve(0));
      });
      return { done };
    },
  } as unknown as Exec;
  const clock: Clock = {
    now: () => new Date(time),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        sleeps.push({ ms, wake: resolve });
        signal?.addEventListener("abort", () => resolve(), { once: true });
      }),
  };
  const words: ChangeWord[] = [];
  const watch = new KernelWatch(exec, clock, (word) => words.push(word));
  const stop = new AbortController();
  const ended = watch.run(stop.signal);
  const settle = async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    watch,
    monitors,
    sleeps,
    words,
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

  it("calls once a transaction that touches Weft's table is complete, and says what was done and by whom", () => {
    const { watch, monitors, words, now, pass } = world();
    pass(10_000);
    const read = now();
    pass(1);
    monitors[0]?.say("delete rule inet weft input handle 422");
    monitors[0]?.say("delete rule inet weft input handle 423");
    monitors[0]?.say("delete table inet weft");
    expect(words).toEqual([]);
    monitors[0]?.say("# new generation 7 by process 12 (nft)");
    expect(words).toEqual([
      { author: { pid: 12, comm: "nft" }, acts: ["delete rule input", "delete table"], isElsewhere: false },
    ]);
    expect(watch.unchangedSince(read)).toBe(false);
    pass(1);
    expect(watch.unchangedSince(now())).toBe(true);
  });

  it("tells of transactions at the tables of others, those with a like name too, and of silent ones", () => {
    const { monitors, words, pass } = world();
    pass(10_000);
    monitors[0]?.say("add rule ip filter INPUT handle 4 accept");
    monitors[0]?.say("# new generation 8 by process 13 (iptables-nft)");
    monitors[0]?.say("delete element inet weft-witness seen_in4 { 10.0.0.1 . tcp . 80 }");
    monitors[0]?.say("# new generation 9 by process 13 (nft)");
    // what nft 1.0.6 says of an element in a set that it knew
    monitors[0]?.say("# new generation 10 by process 14 (nft)");
    expect(words.map(({ isElsewhere }) => isElsewhere)).toEqual([true, true, false]);
    expect(words[2]?.author?.pid).toBe(14);
  });

  it("names nobody when messages were lost", () => {
    const { monitors, words, pass } = world();
    pass(10_000);
    monitors[0]?.say("# ERROR: We lost some netlink events!");
    expect(words).toEqual([{ author: undefined, acts: [], isElsewhere: false }]);
  });

  it("ends a monitor that prints a torrent, has the table looked at, and starts another", async () => {
    const { monitors, words, pass, settle } = world();
    pass(10_000);
    for (let element = 0; element < 25; element++)
      monitors[0]?.say("add element inet weft a_in_tcp_allow4 { 102 . 10.0.0.2-0xd698", 350_000);
    expect(monitors[0]?.signal.aborted).toBe(true);
    await settle();
    expect(words).toContainEqual({ author: undefined, acts: [], isElsewhere: false });
    expect(monitors).toHaveLength(2);
  });

  it("looks again and again while a new monitor may not listen yet", async () => {
    const { sleeps, words, settle } = world();
    for (let look = 0; look < 5; look++) {
      sleeps[look]?.wake();
      await settle();
    }
    expect(words).toHaveLength(5);
    expect(sleeps.reduce((sum, { ms }) => sum + ms, 0)).toBe(2_000);
  });

  it("starts another monitor when one ends, at once if that one had lasted", async () => {
    const { watch, monitors, words, now, pass, settle } = world();
    pass(10_000);
    const read = now();
    monitors[0]?.end();
    await settle();
    expect(watch.unchangedSince(read)).toBe(false);
    expect(words).toHaveLength(1);
    expect(monitors).toHaveLength(2);
    // this one lasts no second
    monitors[1]?.end();
    await settle();
    expect(monitors).toHaveLength(2);
  });
});
