// In: what is wrong with the coordinator itself, as it is found and as it passes. Out: the standing conditions, each
// with the time it began. A repeated finding keeps its first time.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { Condition } from "@weft/shared/model/report";

export class ConditionBoard {
  readonly #standing = new Map<ConditionCode, Condition>();
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** An undefined detail: it is well. */
  set(code: ConditionCode, detail: string | undefined): void {
    if (detail === undefined) {
      this.#standing.delete(code);
      return;
    }
    const since = this.#standing.get(code)?.since ?? this.#now();
    this.#standing.set(code, { code, detail, since });
  }

  list(): Condition[] {
    return [...this.#standing.values()].sort((a, b) => (a.code < b.code ? -1 : a.code > b.code ? 1 : 0));
  }
}
