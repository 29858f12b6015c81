// In: text from the mesh. Out: the same text, known to be a domain name that can go into a file or a path. Pure.
import { WeftError } from "../errors/weft-error.ts";

/** A leading underscore is allowed: it marks service names such as _http._tcp (RFC 2782). */
const label = /^_?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Lower case, no trailing dot. Nothing that a zone file, a Corefile or a path could read as something else
 * (quote, newline, `$`, `{`, `#`, `;`, `/`, `..`) is a label character.
 */
export function parseDomainName(text: string): string {
  const labels = text.split(".");
  if (text.length <= 253 && labels.every((part) => part.length <= 63 && label.test(part))) return text;
  throw new WeftError("WEFT-E003", `${JSON.stringify(text)} is no domain name`, {
    hint: "use labels of a-z, 0-9 and - separated by dots, at most 253 characters",
  });
}

export function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}
