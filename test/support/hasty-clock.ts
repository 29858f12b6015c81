// A clock on which waiting takes no time: whoever sleeps finds that it is later, once everybody else has had a turn.
import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../packages/node-agent/src/host/host.ts";

export class HastyClock implements Clock {
  /** Before each sleep, which waits for it. */
  onSleep: (() => unknown) | undefined;
  #now = Date.parse("2026-11-22T12:00:00Z");

  /** Once, when somebody sleeps for the nth time from now. */
  atSleep(nth: number, work: () => unknown): void {
    let slept = 0;
    this.onSleep = () => (++slept === nth ? work() : undefined);
  }

  now(): Date {
    return new Date(this.#now);
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.onSleep?.();
    signal?.throwIfAborted();
    await turn();
    signal?.throwIfAborted();
    this.#now += ms;
  }
}
