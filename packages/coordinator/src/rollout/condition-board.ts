// In: what is wrong with the coordinator itself, as it is found and as it passes. Out: the standing conditions, each
// with the time it began. A repeated finding keeps its first time.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { Condition } from "@weft/shared/model/report";

export class ConditionBoard {
  readonly #standing = new Map<string, Condition>();
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /**
   * An undefined detail: `finder` finds it well. Another finder may still see the same trouble.
   * True when that is news.
   */
  set(code: ConditionCode, finder: string, detail: string | undefined): boolean {
    const key = `${code} ${finder}`;
    const before = this.#standing.get(key);
    if (detail === undefined) return this.#standing.delete(key);
    this.#standing.set(key, { code, detail, since: before?.since ?? this.#now() });
    return before?.detail !== detail;
  }

  /** One of each code: the oldest finding. */
  list(): Condition[] {
    const oldest = new Map<ConditionCode, Condition>();
    for (const condition of this.#standing.values()) {
      const other = oldest.get(condition.code);
      if (other === undefined || condition.since < other.since) oldest.set(condition.code, condition);
    }
    return [...oldest.values()].sort((a, b) => (a.code < b.code ? -1 : a.code > b.code ? 1 : 0));
  }
}
