// In: a policy script. Out: it as it lies on disk: its first line holds the SHA-256 of all that follows, as a comment of
// nft's. And back, if it is whole. weft-restore reads it the same way, with `tail -n +2 | sha256sum`: a script that was
// cut off and still parses must not be loaded.
import { createHash } from "node:crypto";

const mark = "# sha256 ";

export function sealScript(text: string): string {
  return `${mark}${createHash("sha256").update(text).digest("hex")}\n${text}`;
}

/** undefined: it is not what was written. */
export function openSealed(sealed: string): string | undefined {
  const end = sealed.indexOf("\n");
  const text = sealed.slice(end + 1);
  return end > 0 && text !== "" && sealScript(text) === sealed ? text : undefined;
}
