// In: an expected failure of the server. Out: the gRPC status that carries it whole, and at the other end the same error
// again. The sentence and the code stand in the status text too, for peers that read nothing else.
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, errorCodes } from "../errors/codes.ts";
import { WeftError } from "../errors/weft-error.ts";

const statuses: Partial<Record<ErrorCode, status>> = {
  "WEFT-E001": status.INVALID_ARGUMENT,
  "WEFT-E003": status.INVALID_ARGUMENT,
  "WEFT-E005": status.DEADLINE_EXCEEDED,
  "WEFT-E100": status.INVALID_ARGUMENT,
  "WEFT-E101": status.FAILED_PRECONDITION,
  "WEFT-E103": status.NOT_FOUND,
  "WEFT-E104": status.FAILED_PRECONDITION,
  "WEFT-E201": status.UNAUTHENTICATED,
  "WEFT-E202": status.UNAUTHENTICATED,
  "WEFT-E203": status.PERMISSION_DENIED,
  "WEFT-E204": status.FAILED_PRECONDITION,
  "WEFT-E206": status.INVALID_ARGUMENT,
};

const whyKey = "weft-why-bin";
const hintKey = "weft-hint-bin";

export interface Refusal {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** What a handler passes to its callback, or emits on its stream, as the error. */
export function refusalOf(error: WeftError): Refusal {
  const metadata = new Metadata();
  if (error.why !== undefined) metadata.set(whyKey, Buffer.from(error.why));
  if (error.hint !== undefined) metadata.set(hintKey, Buffer.from(error.hint));
  return {
    code: statuses[error.code] ?? status.UNKNOWN,
    details: `${error.message} (${error.code})`,
    metadata,
  };
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

function textIn(metadata: Metadata | undefined, key: string): string | undefined {
  const value = metadata?.get(key)[0];
  return value === undefined ? undefined : value.toString("utf8");
}

/** Undefined if the failure is not such a refusal. */
export function refusalIn(failure: ServiceError): WeftError | undefined {
  const match = /^(.*) \((WEFT-E\d{3})\)$/s.exec(failure.details);
  const [, message, code] = match ?? [];
  if (message === undefined || code === undefined || !isErrorCode(code)) return undefined;
  const why = textIn(failure.metadata, whyKey);
  const hint = textIn(failure.metadata, hintKey);
  return new WeftError(code, message, {
    ...(why === undefined ? {} : { why }),
    ...(hint === undefined ? {} : { hint }),
    cause: failure,
  });
}
