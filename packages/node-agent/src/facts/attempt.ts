// In: a list for what cannot be read. Out: the way every fact is read: what fails is said there, and nothing else is lost.
import { messageOf } from "@weft/shared/errors/weft-error";

export type Attempt = <T>(what: string, otherwise: T, read: () => Promise<T>) => Promise<T>;

export function attemptInto(trouble: string[]): Attempt {
  return async (what, otherwise, read) => {
    try {
      return await read();
    } catch (failure) {
      trouble.push(`${what}: ${messageOf(failure)}`);
      return otherwise;
    }
  };
}
