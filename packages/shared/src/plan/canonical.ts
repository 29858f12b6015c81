// In: a plain value. Out: one text for it, whatever the order its fields were made in, and the text's digest.
import { createHash } from "node:crypto";
import type { Digest } from "../model/ids.ts";

/** JSON with sorted keys; undefined fields are left out, so absent and undefined are the same. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === "object" && item !== null && !Array.isArray(item))
      return Object.fromEntries(
        Object.entries(item)
          .filter(([, field]) => field !== undefined)
          .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
      );
    return item;
  });
}

export function digestOf(value: unknown): Digest {
  return createHash("sha256").update(canonicalText(value)).digest("hex") as Digest;
}
