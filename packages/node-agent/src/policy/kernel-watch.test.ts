// The watch says "unchanged" only of what it would have heard, names who did it, and does not listen to a torrent.
import { describe, expect, it } from "@jest/globals";
import type { Clock, Exec, Files } from "../host/host.ts";
import { type ChangeWord, KernelWatch } from "./kernel-watch.ts";

interface Monitor {
  say(line: string, length?: number): void;
  end(): void;
  readonly signal: AbortSignal;
}

const firstPid = 700;

function world() {
  let time = 100_000;
  let listening: readonly number[] = [];
  const files = {
    readText: async () =>
      [
        "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode",
        // a socket like the monitor's that hears nothing yet, and one of another family that hears a lot
        "000000000e968e59 12  701        00000000 0        0        0     2        0        1",
        "000000000e968e58 15  701        ffffffff 0        0        0     2        0        2",
        ...listening.map((pid) => `0000000096248b30 12  ${pid}        00000140 0 0 0 2 0 3`),
      ].join("\n"),
  } as unknown as Files;
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
      return { done, pid: firstPid + monitors.length };
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
  const watch = new KernelWatch({ exec, clock, files }, (word) => words.push(word));
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
    /** The monitors, by their numbers, whose sockets the kernel has. */
    listen: (...which: number[]) => {
      listening = which.map((number) => firstPid + number);
    },
    /** One is there, and listens, and that was told. */
    begin: async () => {
      listening = [firstPid + 1];
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      sleeps.at(-1)?.wake();
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      time += 10_000;
      words.length = 0;
    },
  };
}

describe("KernelWatch", () => {
  it("vouches for nothing read before it listened, and has the table looked at when it does", async () => {
    const { watch, now, pass, stop, ended, listen, sleeps, words, settle } = world();
    await settle();
    const early = now();
    pass(100);
    sleeps.at(-1)?.wake();
    await settle();
    expect([watch.unchangedSince(now()), words.length]).toEqual([false, 0]);
    listen(1);
    sleeps.at(-1)?.wake();
    await settle();
    expect(words).toEqual([{ author: undefined, acts: [], isElsewhere: false }]);
    pass(1);
    expect([watch.unchangedSince(early), watch.unchangedSince(now())]).toEqual([false, true]);
    stop.abort();
    await ended;
    expect(watch.unchangedSince(now())).toBe(false);
  });

  it("believes after two seconds that it listens where the kernel does not say", async () => {
    const { watch, now, pass, sleeps, words, settle } = world();
    await settle();
    pass(2_000);
    sleeps.at(-1)?.wake();
    await settle();
    expect(words).toHaveLength(1);
    expect(watch.unchangedSince(now())).toBe(true);
  });

  it("calls once a transaction that touches Weft's table is complete, and says what was done and by whom", async () => {
    const { watch, monitors, words, now, pass, begin } = world();
    await begin();
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

  it("tells of transactions at the tables of others, those with a like name too, and of silent ones", async () => {
    const { monitors, words, begin } = world();
    await begin();
    monitors[0]?.say("add rule ip filter INPUT handle 4 accept");
    monitors[0]?.say("# new generation 8 by process 13 (iptables-nft)");
    monitors[0]?.say("delete element inet weft-witness seen_in4 { 10.0.0.1 . tcp . 80 }");
    monitors[0]?.say("# new generation 9 by process 13 (nft)");
    // what nft 1.0.6 says of an element in a set that it knew
    monitors[0]?.say("# new generation 10 by process 14 (nft)");
    expect(words.map(({ isElsewhere }) => isElsewhere)).toEqual([true, true, false]);
    expect(words[2]?.author?.pid).toBe(14);
  });

  it("names nobody when messages were lost", async () => {
    const { monitors, words, begin } = world();
    await begin();
    monitors[0]?.say("# ERROR: We lost some netlink events!");
    expect(words).toEqual([{ author: undefined, acts: [], isElsewhere: false }]);
  });

  it("ends a monitor that prints a torrent, has the table looked at, and starts another", async () => {
    const { monitors, words, settle, begin } = world();
    await begin();
    for (let element = 0; element < 25; element++)
      monitors[0]?.say("add element inet weft a_in_tcp_allow4 { 102 . 10.0.0.2-0xd698", 350_000);
    expect(monitors[0]?.signal.aborted).toBe(true);
    await settle();
    expect(words).toContainEqual({ author: undefined, acts: [], isElsewhere: false });
    expect(monitors).toHaveLength(2);
  });

  it("listens to nothing while the agent works on the rules, and then has them looked at", async () => {
    const { watch, monitors, words, now, settle, begin, listen, sleeps } = world();
    await begin();
    let finish = () => {};
    const work = watch.apart(() => new Promise<string>((resolve) => (finish = () => resolve("done"))));
    await settle();
    expect(monitors.map(({ signal }) => signal.aborted)).toEqual([true]);
    expect([watch.unchangedSince(now()), words.length]).toEqual([false, 0]);
    finish();
    expect(await work).toBe("done");
    await settle();
    expect(monitors).toHaveLength(2);
    expect(words).toEqual([]);
    listen(2);
    sleeps.at(-1)?.wake();
    await settle();
    expect(words).toHaveLength(1);
    await expect(watch.apart(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    await settle();
    expect(monitors).toHaveLength(3);
  });

  it("starts another monitor when one ends, at once if that one had lasted", async () => {
    const { watch, monitors, words, now, settle, begin } = world();
    await begin();
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
