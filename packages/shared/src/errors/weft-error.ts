// In: what went wrong, why, and what to do about it. Out: the one error class for expected failures.
// Bugs stay plain errors. The code is stable and for programs; the texts are for people.
import type { ErrorCode } from "./codes.ts";

const brand = Symbol.for("weft.error");

export interface WeftErrorOptions {
  /** One sentence: the reason, as far as it is known. */
  readonly why?: string;
  /** One sentence: the next thing to do. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class WeftError extends Error {
  readonly code: ErrorCode;
  readonly why: string | undefined;
  readonly hint: string | undefined;
  readonly [brand] = true;

  /** @param message one sentence: what failed, without a full stop */
  constructor(code: ErrorCode, message: string, options: WeftErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "WeftError";
    this.code = code;
    this.why = options.why;
    this.hint = options.hint;
  }
}

/** By brand, not by instanceof: errors cross bundles and realms. */
export function isWeftError(value: unknown): value is WeftError {
  return typeof value === "object" && value !== null && brand in value;
}

/** The text shown to a person: what, why, what to do, and the code. */
export function describeError(value: unknown): string {
  if (isWeftError(value)) {
    const parts = [value.message];
    if (value.why !== undefined) parts.push(`Why: ${value.why}`);
    if (value.hint !== undefined) parts.push(`Do: ${value.hint}`);
    return `${parts.join("\n  ")}\n  (${value.code})`;
  }
  return messageOf(value);
}

/** The message of anything that was thrown. */
export function messageOf(value: unknown): string {
  if (typeof value === "object" && value !== null && "message" in value && typeof value.message === "string")
    return value.message;
  return String(value);
}
