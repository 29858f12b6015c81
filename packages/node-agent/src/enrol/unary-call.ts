// In: one call of a generated client. Out: its answer within a deadline, or the error in plain words: the coordinator's
// own sentence where it refuses, or why it could not be reached.
import { type CallOptions, type ClientUnaryCall, type ServiceError, status } from "@grpc/grpc-js";
import type { ErrorCode } from "@weft/shared/errors/codes";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { refusalIn } from "@weft/shared/wire/rpc-refusal";

export const unaryDeadlineMs = 10_000;

type Done<T> = (error: ServiceError | null, response: T) => void;

const byStatus: ReadonlyMap<status, ErrorCode> = new Map([
  [status.UNAUTHENTICATED, "WEFT-E201"],
  [status.PERMISSION_DENIED, "WEFT-E203"],
  [status.FAILED_PRECONDITION, "WEFT-E204"],
  [status.INVALID_ARGUMENT, "WEFT-E206"],
]);

export function errorOfCall(failure: ServiceError): WeftError {
  const refusal = refusalIn(failure);
  if (refusal !== undefined) return refusal;
  const { code, details } = failure;
  if (code !== status.UNAVAILABLE && code !== status.DEADLINE_EXCEEDED)
    return new WeftError(byStatus.get(code) ?? "WEFT-E500", details, { cause: failure });
  // What our own check of the peer's certificate says reaches us as text only, behind what grpc-js puts before it.
  if (/peer is not who|X\.509-SVID|certificate/i.test(details))
    return new WeftError("WEFT-E202", "the machine at that address does not prove to be the coordinator", {
      why: details,
      cause: failure,
    });
  return unreachable(
    details
      .replace(/^No connection established\. Last error: (?:Error: )?/, "")
      .replace(/\.? Resolution note:.*$/s, ""),
    failure,
  );
}

function unreachable(why: string, cause: unknown): WeftError {
  return new WeftError("WEFT-E500", "the coordinator cannot be reached", {
    why,
    hint: "check the address, that weft-coordinator runs, and that nothing in between blocks its port",
    cause,
  });
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
    try {
      call = start({ deadline: Date.now() + unaryDeadlineMs }, (failure, response) => {
        signal?.removeEventListener("abort", onAbort);
        if (failure === null) resolve(response);
        else reject(signal?.aborted === true ? signal.reason : errorOfCall(failure));
      });
    } catch (failure) {
      // grpc-js says so of a client that was closed since
      reject(unreachable(messageOf(failure), failure));
      return;
    }
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
