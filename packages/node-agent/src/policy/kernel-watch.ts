// In: what the kernel says of changes to its rules, by `nft monitor`. Out: whether what was read of Weft's table still
// holds, and a word when it may not, with what was done to it and by whom. Packets that fill sets are no such change.
// Listening costs nothing while nothing happens; reading the table every few seconds was most of an idle agent's work.
//
// nft 1.0.6 prints 350 KB of its own stray memory with every element of a concatenated interval set. So a monitor that
// has printed a lot is ended, the table is looked at without its word, and another one starts.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Clock, Exec } from "../host/host.ts";

/** Whoever has read the kernel asks this before it reads again. */
export interface Unchanged {
  /** True only when every change since then would have been heard. @param at ms, taken before the reading began */
  unchangedSince(at: number): boolean;
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
  /** Like "delete rule in input"; the first few. */
  readonly acts: readonly string[];
}

export interface WatchEars {
  changed(word: ChangeWord): void;
  /** A table of somebody else was changed. */
  foreign(): void;
}

/** A monitor that has just been started may not be listening yet. */
const listensAfterMs = 2_000;
/** So meanwhile the table is looked at. */
const looksWhileStarting: readonly number[] = [50, 150, 300, 500, 1_000];
const startAgainMs = 1_000;
const mostActs = 3;
/** Of one transaction: some two dozen of those elements, some milliseconds. */
const mostPerTransaction = 8 << 20;
/** In one second. */
const mostPerSecond = 32 << 20;

const act = /^(add|delete|insert|replace|destroy) (table|chain|rule|set|map|element) inet weft(?: (\S+))?/;
const generation = /^# new generation \d+(?: by process (\d+) \((.*)\))?/;
const lost = "# ERROR";

export class KernelWatch implements Unchanged {
  readonly #exec: Exec;
  readonly #clock: Clock;
  readonly #ears: WatchEars;
  #startedAt: number | undefined;
  #changedAt = 0;

  constructor(exec: Exec, clock: Clock, ears: WatchEars) {
    this.#exec = exec;
    this.#clock = clock;
    this.#ears = ears;
  }

  unchangedSince(at: number): boolean {
    return this.#startedAt !== undefined && at >= this.#startedAt + listensAfterMs && this.#changedAt < at;
  }

  #now(): number {
    return this.#clock.now().getTime();
  }

  /** Until the signal; a monitor that ends (it printed too much, it crashed, somebody killed it) is started again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const started = this.#now();
      const monitor = new AbortController();
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
      this.#startedAt = undefined;
      if (signal.aborted) return;
      this.#ears.changed({ author: undefined, acts: [] });
      // One that was ended for a single large transaction is missed at once; one that never lasts costs too much.
      if (this.#now() - started < startAgainMs) await this.#clock.sleep(startAgainMs, signal).catch(() => {});
    }
  }

  async #listen(monitor: AbortController): Promise<void> {
    let acts: string[] = [];
    let isOurs = false;
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
        isOurs = true;
        this.#changedAt = now;
        const [, verb, kind, name] = act.exec(line) ?? [];
        const said = name === undefined || kind === "table" ? `${verb} ${kind}` : `${verb} ${kind} ${name}`;
        if (verb !== undefined && acts.length < mostActs && !acts.includes(said)) acts.push(said);
      }
      if (inTransaction > mostPerTransaction || second.printed > mostPerSecond) {
        isTooMuch = true;
        monitor.abort();
        return;
      }
      if (line.startsWith(lost)) {
        this.#changedAt = now;
        this.#ears.changed({ author: undefined, acts: [] });
        return;
      }
      // The line that ends a transaction: not before it is there anything to look at.
      const ending = generation.exec(line);
      if (ending === null) return;
      const word = { author: authorOf(ending), acts };
      const wasOurs = isOurs;
      [acts, isOurs, inTransaction] = [[], false, 0];
      if (!wasOurs) {
        this.#ears.foreign();
        return;
      }
      this.#changedAt = now;
      this.#ears.changed(word);
    };
    this.#startedAt = this.#now();
    const { done } = this.#exec.lines("nft", ["monitor"], onLine, monitor.signal);
    const looking = this.#lookWhileStarting(monitor.signal);
    try {
      await done;
    } finally {
      monitor.abort();
      await looking;
    }
  }

  async #lookWhileStarting(signal: AbortSignal): Promise<void> {
    for (const pause of looksWhileStarting) {
      await this.#clock.sleep(pause, signal).catch(() => {});
      if (signal.aborted) return;
      this.#ears.changed({ author: undefined, acts: [] });
    }
  }
}

function authorOf([, pid, comm]: RegExpExecArray): Author | undefined {
  return pid === undefined || comm === undefined ? undefined : { pid: Number(pid), comm };
}
