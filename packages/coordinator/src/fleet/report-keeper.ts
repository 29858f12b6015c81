// In: what nodes say, often. Out: their last word on disk, written together every few seconds: a coordinator that
// starts again still knows who was there and in which state.
import type { StoredReport } from "../store/records.ts";
import type { Store } from "../store/store.ts";

interface Seen {
  readonly at: Date;
  readonly agentVersion: string;
}

export class ReportKeeper {
  readonly #store: Store;
  readonly #seen = new Map<string, Seen>();
  readonly #reports = new Map<string, StoredReport>();

  constructor(store: Store) {
    this.#store = store;
  }

  seen(node: string, at: Date, agentVersion: string): void {
    this.#seen.set(node, { at, agentVersion });
  }

  say(node: string, word: Partial<Pick<StoredReport, "report" | "facts">>): void {
    const before = this.#reports.get(node) ?? { node, report: undefined, facts: undefined };
    this.#reports.set(node, { ...before, ...word });
  }

  /** What is not written yet is forgotten. */
  drop(node: string): void {
    this.#seen.delete(node);
    this.#reports.delete(node);
  }

  flush(): void {
    if (this.#seen.size === 0 && this.#reports.size === 0) return;
    this.#store.transaction(() => {
      for (const [node, { at, agentVersion }] of this.#seen)
        this.#store.nodes.setSeen(node, at, agentVersion);
      for (const report of this.#reports.values())
        if (this.#store.nodes.get(report.node) !== undefined) this.#store.reports.put(report);
    });
    this.#seen.clear();
    this.#reports.clear();
  }
}
