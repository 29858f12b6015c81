// In: what the kernel says of changes to its rules, by `nft monitor`. Out: whether what was read of Weft's table still
// holds, and a call when it may not. Packets that fill sets are no such change. Listening costs nothing while nothing
// happens; reading the table every few seconds was most of an idle agent's work, and saw a foreign change late.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Clock, Exec } from "../host/host.ts";

/** Whoever has read the kernel asks this before it reads again. */
export interface Unchanged {
  /** True only when every change since then would have been heard. @param at ms, taken before the reading began */
  unchangedSince(at: number): boolean;
}

/** A monitor that has just been started may not be listening yet. */
const listensAfterMs = 2_000;
const startAgainMs = 1_000;

export class KernelWatch implements Unchanged {
  readonly #exec: Exec;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #startedAt: number | undefined;
  #changedAt = 0;

  constructor(exec: Exec, clock: Clock, onChange: () => void) {
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

  /** Until the signal; a monitor that ends (it lost messages, it crashed, somebody killed it) is started again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#listen(signal);
      } catch (failure) {
        // Without nft no rules are read either, and that is said there.
        if (!isWeftError(failure)) throw failure;
      }
      this.#startedAt = undefined;
      if (signal.aborted) return;
      this.#onChange();
      await this.#clock.sleep(startAgainMs, signal).catch(() => {});
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    let isOurs = false;
    const onLine = (line: string) => {
      if (line.includes("inet weft")) {
        isOurs = true;
        this.#changedAt = this.#now();
      }
      // The line that ends a transaction: not before it is there anything to look at.
      if (!line.startsWith("# new generation") || !isOurs) return;
      isOurs = false;
      this.#changedAt = this.#now();
      this.#onChange();
    };
    this.#startedAt = this.#now();
    await this.#exec.lines("nft", ["monitor"], onLine, signal).done;
  }
}
