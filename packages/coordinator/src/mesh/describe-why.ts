// In: something that may throw a WeftError. Out: why it did, as a sentence without its full stop, or undefined. Pure.
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";

export function describeWhy(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    const why = isWeftError(error) ? (error.why ?? error.message) : messageOf(error);
    return why.replace(/\.$/, "");
  }
}
