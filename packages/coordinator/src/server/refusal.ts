// In: whatever a handler threw. Out: the gRPC status a caller is told: a WeftError whole (its reader is
// shared/wire/rpc-refusal.ts). Anything else is a bug here: the caller learns no more than that, the log does.
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { ErrorCode } from "@weft/shared/errors/codes";
import { isWeftError, type WeftError } from "@weft/shared/errors/weft-error";

const statuses: Partial<Record<ErrorCode, status>> = {
  "WEFT-E001": status.INVALID_ARGUMENT,
  "WEFT-E003": status.INVALID_ARGUMENT,
  "WEFT-E005": status.DEADLINE_EXCEEDED,
  "WEFT-E100": status.INVALID_ARGUMENT,
  "WEFT-E101": status.FAILED_PRECONDITION,
  "WEFT-E102": status.FAILED_PRECONDITION,
  "WEFT-E103": status.NOT_FOUND,
  "WEFT-E104": status.FAILED_PRECONDITION,
  "WEFT-E201": status.PERMISSION_DENIED,
  "WEFT-E202": status.UNAUTHENTICATED,
  "WEFT-E203": status.PERMISSION_DENIED,
  "WEFT-E204": status.PERMISSION_DENIED,
  "WEFT-E205": status.UNAUTHENTICATED,
  "WEFT-E206": status.INVALID_ARGUMENT,
  "WEFT-E208": status.RESOURCE_EXHAUSTED,
  "WEFT-E300": status.NOT_FOUND,
  "WEFT-E301": status.FAILED_PRECONDITION,
};

function metadataOf({ code, message, why, hint }: WeftError): Metadata {
  const metadata = new Metadata();
  metadata.set("weft-error-bin", Buffer.from(JSON.stringify({ code, message, why, hint })));
  return metadata;
}

/** For peers that read nothing but the status text: what and why on one line, then the code. */
function sentenceOf({ code, message, why }: WeftError): string {
  return `${message}${why === undefined ? "" : `: ${why.replace(/\.$/, "")}`} (${code})`;
}

export function refusalOf(failure: unknown): ServiceError {
  if (!isWeftError(failure))
    return Object.assign(new Error("bug"), {
      code: status.INTERNAL,
      details: "the coordinator failed; its log says how",
      metadata: new Metadata(),
    });
  return Object.assign(new Error(failure.message), {
    code: statuses[failure.code] ?? status.UNKNOWN,
    details: sentenceOf(failure),
    metadata: metadataOf(failure),
  });
}
