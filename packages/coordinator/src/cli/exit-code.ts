// In: how a command ended. Out: the exit code that scripts may rely on (design: commands). Pure.
import type { ErrorCode } from "@weft/shared/errors/codes";
import { isWeftError } from "@weft/shared/errors/weft-error";

export const exitCodes = { done: 0, failed: 1, usage: 2, refused: 3, partly: 4, timedOut: 5 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byError: Partial<Record<ErrorCode, ExitCode>> = {
  "WEFT-E001": exitCodes.usage,
  "WEFT-E100": exitCodes.usage,
  "WEFT-E101": exitCodes.refused,
  "WEFT-E104": exitCodes.refused,
  "WEFT-E102": exitCodes.timedOut,
  "WEFT-E005": exitCodes.timedOut,
};

export function exitCodeOf(failure: unknown): ExitCode {
  return (isWeftError(failure) ? byError[failure.code] : undefined) ?? exitCodes.failed;
}
