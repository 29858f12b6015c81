// In: repairs, each with its time and who made it necessary. Out: whether that is a fight, who is behind it, and how long
// to wait before the next repair. Pure but for what it remembers.
//
// INVARIANTS
// - Outside a fight no repair waits.
// - In a fight the wait is never longer than `longestPauseMs`: rules that somebody keeps removing come back every second.
// - A fight is over after `quietMs` without a repair.

export interface Fight {
  /** The one seen most. */
  readonly by: string;
  readonly times: number;
  /** All repairs since it began. */
  readonly repairs: number;
}

const fightWithinMs = 10_000;
const fightRepairs = 3;
const quietMs = 60_000;
const firstPauseMs = 250;
export const longestPauseMs = 1_000;
/** Of different culprits, remembered by kind. */
const mostCulprits = 32;

export class RepairFight {
  /** Times of the last few. */
  #recent: readonly number[] = [];
  #last = Number.NEGATIVE_INFINITY;
  #began: number | undefined;
  #repairs = 0;
  #counts = new Map<string, number>();

  /** @param kind of the culprit, as culprit.ts words it */
  repaired(at: number, kind: string): void {
    if (this.#last + quietMs <= at) this.#forget();
    this.#last = at;
    this.#repairs += 1;
    if (this.#counts.size < mostCulprits || this.#counts.has(kind))
      this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    this.#recent = [...this.#recent.filter((time) => time > at - fightWithinMs), at].slice(-mostCulprits);
    if (this.#recent.length >= fightRepairs) this.#began ??= at;
  }

  standing(at: number): Fight | undefined {
    if (this.#began === undefined || this.#last + quietMs <= at) return undefined;
    const [[by, times] = ["", 0]] = [...this.#counts].sort((a, b) => b[1] - a[1]);
    return { by, times, repairs: this.#repairs };
  }

  /** Before the table is looked at again. */
  pauseMs(at: number): number {
    const recent = this.#recent.filter((time) => time > at - fightWithinMs).length;
    if (recent < fightRepairs) return 0;
    return Math.min(firstPauseMs * 2 ** (recent - fightRepairs), longestPauseMs);
  }

  #forget(): void {
    this.#recent = [];
    this.#began = undefined;
    this.#repairs = 0;
    this.#counts = new Map();
  }
}
