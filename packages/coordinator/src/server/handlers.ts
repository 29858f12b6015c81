// In: functions that answer or throw. Out: grpc-js handlers: what is thrown becomes a status, bugs go to the log and
// never to the process.
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Logger } from "../logger.ts";
import { refusalOf } from "./refusal.ts";

export class Handlers {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  report(name: string, failure: unknown): void {
    // The caller is told; a line for each would let anybody on the network fill the journal.
    if (isWeftError(failure) && failure.code === "WEFT-E208") return;
    if (isWeftError(failure))
      this.#log.info("call refused", { call: name, why: failure.message, code: failure.code });
    else this.#log.error("call failed", { call: name, failure });
  }

  unary<Request, Response>(
    name: string,
    answer: (request: Request, call: ServerUnaryCall<Request, Response>) => Promise<Response> | Response,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      const work = async () => answer(call.request, call);
      work().then(
        (response) => callback(null, response),
        (failure: unknown) => {
          this.report(name, failure);
          callback(refusalOf(failure));
        },
      );
    };
  }

  /** `send` waits until the message has left, so that a slow reader holds at most one. */
  streaming<Request, Response>(
    name: string,
    answer: (
      request: Request,
      send: (response: Response) => Promise<void>,
      signal: AbortSignal,
      call: ServerWritableStream<Request, Response>,
    ) => Promise<void>,
  ): handleServerStreamingCall<Request, Response> {
    return (call) => {
      const ended = new AbortController();
      call.on("cancelled", () => ended.abort());
      call.on("close", () => ended.abort());
      const send = (response: Response) =>
        new Promise<void>((resolve) => {
          if (ended.signal.aborted) return resolve();
          const done = () => {
            ended.signal.removeEventListener("abort", done);
            resolve();
          };
          ended.signal.addEventListener("abort", done);
          call.write(response, done);
        });
      answer(call.request, send, ended.signal, call).then(
        () => call.end(),
        (failure: unknown) => {
          this.report(name, failure);
          call.emit("error", refusalOf(failure));
        },
      );
    };
  }
}
