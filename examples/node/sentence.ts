// In: anything that went wrong. Out: one sentence for a person.
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";

const sentences: Record<string, string> = {
  ECONNREFUSED: "refused the connection",
  ECONNRESET: "reset the connection",
  EHOSTUNREACH: "is unreachable",
  ENETUNREACH: "is unreachable",
  EACCES: "is refused to this user by this machine's own kernel",
  EPERM: "is refused to this user by this machine's own kernel",
  ENOTFOUND: "has no address in DNS",
  EAI_AGAIN: "has no address, because DNS does not answer",
  ETIMEDOUT: "timed out",
  EPROTO: "does not speak TLS 1.3, or refuses this client's certificate",
};

/** @param url the other side, where the error is that of a request */
export function sentenceOf(error: unknown, url?: URL): string {
  if (isWeftError(error)) return [error.message, error.why].filter((part) => part !== undefined).join(": ");
  if (url === undefined) return messageOf(error);
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const known = sentences[code] ?? (code.startsWith("ERR_SSL") ? "broke off the TLS handshake" : undefined);
  return known === undefined ? `${url.host}: ${messageOf(error)}` : `${url.host} ${known}`;
}
