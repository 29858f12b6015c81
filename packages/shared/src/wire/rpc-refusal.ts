// In: a failed gRPC call. Out: the coordinator's own error again, if it was an expected one. The coordinator sends its
// parts in the trailer "weft-error-bin", and sentence and code in the status text for peers that read nothing else.
import type { ServiceError } from "@grpc/grpc-js";
import { type ErrorCode, errorCodes } from "../errors/codes.ts";
import { WeftError } from "../errors/weft-error.ts";

const trailer = "weft-error-bin";

interface Parts {
  readonly code: ErrorCode;
  readonly message: string;
  readonly why?: string;
  readonly hint?: string;
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(errorCodes, value);
}

function partsIn(text: string): Parts | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not ours: the status text is all there is.
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { code, message, why, hint } = value as Record<string, unknown>;
  if (!isErrorCode(code) || typeof message !== "string") return undefined;
  return {
    code,
    message,
    ...(typeof why === "string" ? { why } : {}),
    ...(typeof hint === "string" ? { hint } : {}),
  };
}

function partsInStatus(details: string): Parts | undefined {
  const [, message, code] = /^(.*) \((WEFT-E\d{3})\)$/s.exec(details) ?? [];
  return message !== undefined && isErrorCode(code) ? { code, message } : undefined;
}

/** Undefined if the failure is not such a refusal. */
export function refusalIn(failure: ServiceError): WeftError | undefined {
  const sent = failure.metadata?.get(trailer)[0];
  const parts =
    (sent === undefined ? undefined : partsIn(sent.toString("utf8"))) ?? partsInStatus(failure.details);
  if (parts === undefined) return undefined;
  const { code, message, why, hint } = parts;
  return new WeftError(code, message, {
    ...(why === undefined ? {} : { why }),
    ...(hint === undefined ? {} : { hint }),
    cause: failure,
  });
}
