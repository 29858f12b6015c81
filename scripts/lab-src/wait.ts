// In: a condition that is asked again and again. Out: its first answer, or a WeftError when the deadline passes.
import { setTimeout as sleep } from "node:timers/promises";
import { WeftError } from "@weft/shared/errors/weft-error";

export interface WaitOptions {
  /** Completes "X did not happen": what was waited for. */
  readonly what: string;
  readonly deadlineMs: number;
  readonly everyMs?: number;
}

export async function waitFor<T>(
  options: WaitOptions,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const end = Date.now() + options.deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() >= end)
      throw new WeftError(
        "WEFT-E005",
        `${options.what} did not happen within ${options.deadlineMs / 1000} s`,
      );
    await sleep(options.everyMs ?? 15);
  }
}
