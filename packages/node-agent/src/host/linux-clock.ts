// In: nothing. Out: the time, and waiting that an abort signal ends at once.
import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "./host.ts";

export class LinuxClock implements Clock {
  now(): Date {
    return new Date();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await wait(ms, undefined, signal === undefined ? {} : { signal });
  }
}
