// In: fields that a question carries. Out: the same, checked: a number that is a port, a word that may be a user.
import { WeftError } from "../errors/weft-error.ts";

export function askedPort(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new WeftError("WEFT-E003", `${port} is no port`);
  return port;
}

/** Empty is a user, too: root. */
export function askedUser(user: string): string {
  if (!/^[A-Za-z0-9_.-]{0,32}$/.test(user) || user.startsWith("-"))
    throw new WeftError("WEFT-E003", "what a question names is no user");
  return user;
}
