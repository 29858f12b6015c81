// In: a question that may fail for a while. Out: its first answer, or at the deadline the reason of its last failure.
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { pause } from "../cli/pause.ts";

export interface WaitOptions {
  readonly what: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Between two tries. */
  readonly intervalMs?: number;
}

/** Only expected failures (WeftError) are tried again. */
export async function waitUntil<T>(ask: () => Promise<T>, options: WaitOptions): Promise<T> {
  const end = performance.now() + options.deadlineMs;
  for (;;) {
    try {
      return await ask();
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      if (options.signal.aborted)
        throw new WeftError("WEFT-E005", `interrupted while waiting for ${options.what}`);
      if (performance.now() >= end)
        throw new WeftError(
          "WEFT-E402",
          `${options.what} did not come up within ${options.deadlineMs / 1000} s`,
          {
            why: failure.why ?? messageOf(failure),
            ...(failure.hint === undefined ? {} : { hint: failure.hint }),
            cause: failure,
          },
        );
      await pause(options.intervalMs ?? 100, options.signal);
    }
  }
}
