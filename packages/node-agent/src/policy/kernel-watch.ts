// In: what the kernel says of changes to its rules, by `nft monitor`. Out: whether what was read of Weft's table still
// holds, and a word when it may not, with what was done to it and by whom. Packets that fill sets are no such change.
// Listening costs nothing while nothing happens; reading the table every few seconds was most of an idle agent's work.
//
// nft 1.0.6 cannot be believed on elements of interval sets: of sets it knew when it started it says nothing of a first
// one and dies of a second one; of others it prints 350 KB of its own stray memory with each. So every transaction is
// told of, whatever was printed of it; a monitor that dies is followed by a look and another one; and one that prints a
// torrent is ended.
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
  /** What was done to Weft's table, like "delete rule input"; the first few. */
  readonly acts: readonly string[];
  /** Only tables of others were named. */
  readonly isElsewhere: boolean;
}

const unheard: ChangeWord = { author: undefined, acts: [], isElsewhere: false };

/** A monitor that has just been started may not be listening yet. */
const listensAfterMs = 2_000;
/** So meanwhile the table is looked at. */
const looksWhileStarting: readonly number[] = [50, 150, 300, 500, 1_000];
/** One that ends sooner was not worth its start; the next one waits, ever longer. */
const worthMs = 1_000;
const firstPauseMs = 25;
const longestPauseMs = 1_000;
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
  readonly #onChange: (word: ChangeWord) => void;
  #startedAt: number | undefined;
  #changedAt = 0;

  constructor(exec: Exec, clock: Clock, onChange: (word: ChangeWord) => void) {
    this.#exec = exec;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  unchangedSince(at: number): boolean {
    return this.#startedAt !== undefined && at >= this.#startedAt + listensAfterMs && this.#changedAt < at;
  }

  #now(): number {
    return this.#clock.now().getTime();
  }

  /** Until the signal; a monitor that ends (it printed too much, it crashed, somebody killed it) is started again. */
  async run(signal: AbortSignal): Promise<void> {
    let inVain = 0;
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
      this.#onChange(unheard);
      inVain = this.#now() - started < worthMs ? inVain + 1 : 0;
      const pause = Math.min(firstPauseMs * 2 ** (inVain - 1), longestPauseMs);
      if (inVain > 0) await this.#clock.sleep(pause, signal).catch(() => {});
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
      this.#onChange(unheard);
    }
  }
}

function authorOf([, pid, comm]: RegExpExecArray): Author | undefined {
  return pid === undefined || comm === undefined ? undefined : { pid: Number(pid), comm };
}
