// In: why an attempt within a time limit failed. Out: one sentence for people. What is nobody's failure is thrown on.
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";

export function sentenceOf(failure: unknown, withinMs: number): string {
  if (!isWeftError(failure)) {
    // the time of one attempt was up
    if (
      typeof failure === "object" &&
      failure !== null &&
      "name" in failure &&
      failure.name === "TimeoutError"
    )
      return `no answer within ${withinMs / 1000} s`;
    throw failure;
  }
  return failure.why === undefined ? messageOf(failure) : `${messageOf(failure)}: ${failure.why}`;
}
