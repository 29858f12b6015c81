// In: a unix socket and a request. Out: what was answered, whole, in time and of bounded size, or why not.
import { request } from "node:http";
import { errnoOf, isNotFound } from "@weft/shared/errors/system";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { SocketAnswer, SocketRequest, Sockets } from "./host.ts";

const answerLimit = 16 * 1024 * 1024;

export class LinuxSockets implements Sockets {
  readonly #root: string;

  /** @param root "" for the machine itself; a directory in tests */
  constructor(root = "") {
    this.#root = root;
  }

  ask(
    socket: string,
    { method, path, body, timeoutMs, signal }: SocketRequest,
  ): Promise<SocketAnswer | undefined> {
    const what = `${method} ${path} at ${socket}`;
    const sent = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const asked = request({
        socketPath: `${this.#root}${socket}`,
        method,
        path,
        headers: {
          host: "localhost",
          accept: "application/json",
          ...(sent === undefined
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
        },
        agent: false,
      });
      const settle = (done: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        done();
        // Whoever still sends is not listened to; of a request that is over this is nothing.
        asked.destroy();
      };
      const fail = (reason: unknown) => settle(() => reject(reason));
      const broken = (said: string, cause: unknown) =>
        fail(new WeftError("WEFT-E004", said, { why: messageOf(cause), cause }));
      const onAbort = () => fail(signal?.reason);
      const timer = setTimeout(
        () => fail(new WeftError("WEFT-E005", `${what} was not answered within ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      signal?.addEventListener("abort", onAbort, { once: true });
      // Also after the end: a connection that is cut then may still tell of it, and nobody has to know.
      asked.on("error", (cause) => {
        if (isNotFound(cause) || errnoOf(cause) === "ENOTDIR") settle(() => resolve(undefined));
        else if (errnoOf(cause) === "ECONNREFUSED") broken(`nobody listens at ${socket}`, cause);
        else broken(`${what} failed`, cause);
      });
      asked.on("response", (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > answerLimit) fail(new WeftError("WEFT-E004", `${what} answered more than 16 MiB`));
          else chunks.push(chunk);
        });
        response.on("error", (cause) => broken(`the answer to ${what} broke off`, cause));
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          settle(() => resolve({ status: response.statusCode ?? 0, body: text }));
        });
      });
      asked.end(sent);
    });
  }
}
