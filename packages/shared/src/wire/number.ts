// In: uint64 from the wire as bigint. Out: a safe number, or a refusal; and the way back.
import { WeftError } from "../errors/weft-error.ts";

/** Half of what a number holds exactly: who counts on from what a peer sent must not leave that range. */
const largest = 2n ** 52n;

export function toNumber(value: bigint, what: string): number {
  if (value > largest)
    throw new WeftError("WEFT-E003", `${what} is out of range`, { why: `${value} is above 2^52` });
  return Number(value);
}

/** A word out of a fixed list; anything else is refused by name (a newer peer may send what we do not know). */
export function oneOf<T extends string>(text: string, allowed: readonly T[], what: string): T {
  const found = allowed.find((item) => item === text);
  if (found === undefined)
    throw new WeftError("WEFT-E003", `${what} is "${text}"`, { hint: `allowed: ${allowed.join(", ")}` });
  return found;
}

/** A part of a message that must be there. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new WeftError("WEFT-E003", `${what} is missing`);
  return value;
}
