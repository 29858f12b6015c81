// In: what is about to be logged. Out: the same without secrets, and in a form JSON can carry. Pure.
import { describeError, isWeftError, messageOf } from "@weft/shared/errors/weft-error";

const secretName = /token|secret|password|passphrase|private|proof|^key$|keyPem/i;
const hidden = "[redacted]";
/** PEM of a private key, or a join token: NAME.SECRET. */
const secretText =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|\b([a-z0-9][a-z0-9-]*)\.[A-Za-z0-9_-]{32}(?![A-Za-z0-9_-])/g;
const deepest = 6;

function redactText(text: string): string {
  return text.replace(secretText, (_all, name?: string) =>
    name === undefined ? hidden : `${name}.${hidden}`,
  );
}

function isErrorLike(value: object): boolean {
  return "message" in value && "stack" in value;
}

export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (value instanceof Date) return value;
  if (isErrorLike(value))
    return redactText(
      isWeftError(value)
        ? describeError(value)
        : String((value as { stack: unknown }).stack ?? messageOf(value)),
    );
  if (depth >= deepest) return "[too deep]";
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      secretName.test(name) && item !== undefined ? hidden : redact(item, depth + 1),
    ]),
  );
}
