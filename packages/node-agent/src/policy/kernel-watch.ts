// In: what the kernel says of changes to its rules, by `nft monitor`. Out: whether what was read of Weft's table still
// holds, and a word when it may not, with what was done to it and by whom. Packets that fill sets are no such change.
// Listening costs nothing while nothing happens; reading the table every few seconds was most of an idle agent's work.
//
// nft 1.0.6 cannot be believed on elements of interval sets: of sets it knew when it started it says nothing of a first
// one and dies of a second one; of others it prints 350 KB of its own stray memory with each. So every transaction is
// told of, whatever was printed of it; a monitor that dies is followed by a look and another one; one that prints a
// torrent is ended; and while the agent changes the rules itself, and reads them back, nobody listens.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Host } from "../host/host.ts";

/** Whoever has read the kernel asks this before it reads again. */
export interface Unchanged {
  /** True only when every change since then would have been heard. @param at ms, taken before the reading began */
  unchangedSince(at: number): boolean;
}

export interface ChangeListener extends Unchanged {
  /** Work that changes the rules and reads back what came of it: nothing is heard of it. One at a time. */
  apart<T>(work: () => Promise<T>): Promise<T>;
}

/** The process that made a transaction, by the kernel's word. */
export interface Author {
  /** As the first pid namespace counts. */
  readonly pid: number;
  readonly comm: string;
}

/** Weft's table was, or may have been, changed. */
export interface ChangeWord {
  /** undefined: nobody heard who it was. */
  readonly author: Author | undefined;
  /** What was done to Weft's table, like "delete rule input"; the first few. */
  readonly acts: readonly string[];
  /** Only tables of others were named. */
  readonly isElsewhere: boolean;
}

const unheard: ChangeWord = { author: undefined, acts: [], isElsewhere: false };

/** A monitor that has just been started is not listening yet. */
const listensWithinMs = 2_000;
const firstAskMs = 10;
/** Its socket's, in the kernel's list: NETLINK_NETFILTER, and NFNLGRP_NFTABLES among the groups. */
const [netfilterFamily, tablesGroup] = ["12", 1 << 6];
/** One that ends sooner was not worth its start; the next one waits, ever longer. */
const worthMs = 1_000;
const firstPauseMs = 25;
const longestPauseMs = 1_000;
const mostActs = 3;
/** Of one transaction: some two dozen of those elements, some milliseconds. */
const mostPerTransaction = 8 << 20;
/** In one second. */
const mostPerSecond = 32 << 20;

/** Why a monitor is ended before its time. */
const ownWork = Symbol("work of the agent's own");

const act = /^(add|delete|insert|replace|destroy) (table|chain|rule|set|map|element) inet weft(?: (\S+))?/;
const generation = /^# new generation \d+(?: by process (\d+) \((.*)\))?/;
const lost = "# ERROR";

export class KernelWatch implements ChangeListener {
  readonly #host: Pick<Host, "exec" | "clock" | "files">;
  readonly #onChange: (word: ChangeWord) => void;
  #listensSince: number | undefined;
  #changedAt = 0;
  #monitor: AbortController | undefined;
  /** Until the agent's own work is done. */
  #work: Promise<void> | undefined;

  constructor(host: Pick<Host, "exec" | "clock" | "files">, onChange: (word: ChangeWord) => void) {
    this.#host = host;
    this.#onChange = onChange;
  }

  unchangedSince(at: number): boolean {
    return this.#listensSince !== undefined && at >= this.#listensSince && this.#changedAt < at;
  }

  async apart<T>(work: () => Promise<T>): Promise<T> {
    let done = () => {};
    this.#work = new Promise((resolve) => {
      done = resolve;
    });
    this.#monitor?.abort(ownWork);
    try {
      return await work();
    } finally {
      this.#work = undefined;
      done();
    }
  }

  #now(): number {
    return this.#host.clock.now().getTime();
  }

  /** Until the signal; a monitor that ends (it printed too much, it crashed, somebody killed it) is started again. */
  async run(signal: AbortSignal): Promise<void> {
    let inVain = 0;
    while (!signal.aborted) {
      while (this.#work !== undefined) await this.#work;
      if (signal.aborted) return;
      const started = this.#now();
      const monitor = new AbortController();
      this.#monitor = monitor;
      const stop = () => monitor.abort();
      signal.addEventListener("abort", stop, { once: true });
      try {
        await this.#listen(monitor);
      } catch (failure) {
        // Without nft no rules are read either, and that is said there.
        if (!isWeftError(failure)) throw failure;
      }
      stop();
      signal.removeEventListener("abort", stop);
      this.#listensSince = undefined;
      if (signal.aborted) return;
      // looked at when the next one listens
      if (monitor.signal.reason === ownWork) continue;
      this.#onChange(unheard);
      inVain = this.#now() - started < worthMs ? inVain + 1 : 0;
      const pause = Math.min(firstPauseMs * 2 ** (inVain - 1), longestPauseMs);
      if (inVain > 0) await this.#host.clock.sleep(pause, signal).catch(() => {});
    }
  }

  async #listen(monitor: AbortController): Promise<void> {
    let acts: string[] = [];
    let isElsewhere = false;
    let inTransaction = 0;
    let second = { from: this.#now(), printed: 0 };
    let isTooMuch = false;
    const onLine = (line: string, length: number) => {
      if (isTooMuch) return;
      const now = this.#now();
      if (now - second.from >= 1_000) second = { from: now, printed: 0 };
      second.printed += length;
      inTransaction += length;
      if (line.includes("inet weft ") || line.endsWith("inet weft")) {
        const [, verb, kind, name] = act.exec(line) ?? [];
        const said = name === undefined || kind === "table" ? `${verb} ${kind}` : `${verb} ${kind} ${name}`;
        if (verb !== undefined && acts.length < mostActs && !acts.includes(said)) acts.push(said);
      } else if (/^[a-z]+ [a-z]+ (?:ip|ip6|inet|arp|bridge|netdev) /.test(line)) isElsewhere = true;
      if (inTransaction > mostPerTransaction || second.printed > mostPerSecond) {
        isTooMuch = true;
        monitor.abort();
        return;
      }
      if (line.startsWith(lost)) {
        this.#changedAt = now;
        this.#onChange(unheard);
        return;
      }
      // The line that ends a transaction.
      const ending = generation.exec(line);
      if (ending === null) return;
      const word = { author: authorOf(ending), acts, isElsewhere: isElsewhere && acts.length === 0 };
      [acts, isElsewhere, inTransaction] = [[], false, 0];
      this.#changedAt = now;
      this.#onChange(word);
    };
    const { done, pid } = this.#host.exec.lines("nft", ["monitor"], onLine, monitor.signal);
    const listening = this.#untilItListens(pid, monitor.signal);
    try {
      await done;
    } finally {
      monitor.abort();
      await listening;
    }
  }

  /** Of what was changed before it did nobody has heard. */
  async #untilItListens(pid: number | undefined, signal: AbortSignal): Promise<void> {
    const { clock, files } = this.#host;
    const until = this.#now() + listensWithinMs;
    for (let pause = firstAskMs; ; pause *= 2) {
      const sockets = (await files.readText("/proc/net/netlink").catch(() => undefined)) ?? "";
      if (listens(sockets, pid) || this.#now() >= until) break;
      await clock.sleep(Math.min(pause, until - this.#now()), signal).catch(() => {});
      if (signal.aborted) return;
    }
    if (signal.aborted) return;
    this.#listensSince = this.#now();
    this.#onChange(unheard);
  }
}

/** By /proc/net/netlink: sk Eth Pid Groups ... */
function listens(sockets: string, pid: number | undefined): boolean {
  return sockets.split("\n").some((line) => {
    const [, family, owner, groups = ""] = line.trim().split(/\s+/);
    const isIts = family === netfilterFamily && owner === String(pid);
    return isIts && (Number.parseInt(groups, 16) & tablesGroup) !== 0;
  });
}

function authorOf([, pid, comm]: RegExpExecArray): Author | undefined {
  return pid === undefined || comm === undefined ? undefined : { pid: Number(pid), comm };
}
