// In: one call of a generated client. Out: its answer within a deadline, or the error in plain words. The coordinator
// says why it refuses in the status text; that text is shown as it is.
import { type CallOptions, type ClientUnaryCall, type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, errorCodes } from "@weft/shared/errors/codes";
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";

export const unaryDeadlineMs = 10_000;

type Done<T> = (error: ServiceError | null, response: T) => void;

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

const byStatus: ReadonlyMap<status, ErrorCode> = new Map([
  [status.UNAUTHENTICATED, "WEFT-E201"],
  [status.PERMISSION_DENIED, "WEFT-E203"],
  [status.FAILED_PRECONDITION, "WEFT-E204"],
  [status.INVALID_ARGUMENT, "WEFT-E206"],
]);

/** What a refused call means: a sentence of the coordinator's, or why it could not be reached. */
export function errorOfCall(failure: ServiceError): WeftError {
  if (isWeftError(failure.cause)) return failure.cause;
  const details = failure.details;
  // A refusal by our own check of the peer reaches us only as text, behind what grpc-js puts before it.
  if (failure.code === status.UNAVAILABLE || failure.code === status.DEADLINE_EXCEEDED)
    return /peer is not who|X\.509-SVID|certificate/.test(details)
      ? new WeftError("WEFT-E202", "the machine at that address does not prove to be the coordinator", {
          why: details,
          cause: failure,
        })
      : new WeftError("WEFT-E500", "the coordinator cannot be reached", {
          why: details,
          hint: "check the address, that weft-coordinator runs, and that nothing in between blocks its port",
          cause: failure,
        });
  const coded = /^(.*) \((WEFT-E\d{3})\)$/s.exec(details);
  const named = coded?.[2];
  const code = named !== undefined && isErrorCode(named) ? named : byStatus.get(failure.code);
  return new WeftError(code ?? "WEFT-E500", coded?.[1] ?? details, { cause: failure });
}

export function unaryCall<T>(
  start: (options: Partial<CallOptions>, done: Done<T>) => ClientUnaryCall,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    let call: ClientUnaryCall | undefined;
    const onAbort = () => call?.cancel();
    call = start({ deadline: Date.now() + unaryDeadlineMs }, (failure, response) => {
      signal?.removeEventListener("abort", onAbort);
      if (failure === null) resolve(response);
      else reject(signal?.aborted === true ? signal.reason : errorOfCall(failure));
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
