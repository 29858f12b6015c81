// In: a text and a number of digits. Out: so many hex digits of its SHA-256, where the whole is too long for a name. Pure.
import { createHash } from "node:crypto";

export function shortHash(text: string, digits: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, digits);
}
