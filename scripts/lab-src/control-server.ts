// In: a supervisor and a socket path. Out: the supervisor served there, one request per connection, answered by
// lines of progress and one last line.
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";
import { encodeLine, type LabAnswer, parseRequest } from "./protocol.ts";
import type { Supervisor } from "./supervisor.ts";

export function serveControl(
  supervisor: Supervisor,
  path: string,
  log: (text: string) => void,
  onEnded: () => void,
): Promise<Server> {
  const server = createServer((socket) => {
    // a client that went away does not stop the work it asked for
    socket.on("error", (error) => log(`control connection: ${error.message}`));
    createInterface({ input: socket }).once("line", (line) => {
      answer(supervisor, line, socket, log).then(
        (ended) => socket.end(() => (ended ? onEnded() : undefined)),
        (error: unknown) => log(messageOf(error)),
      );
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}

/** @returns whether the lab has ended with this request */
async function answer(
  supervisor: Supervisor,
  line: string,
  socket: Socket,
  log: (text: string) => void,
): Promise<boolean> {
  const send = (message: LabAnswer) => {
    if (!socket.destroyed) socket.write(encodeLine(message));
  };
  try {
    const request = parseRequest(line);
    log(`asked: ${line}`);
    const machines = await supervisor.handle(request, (text) => send({ kind: "progress", text }));
    send({ kind: "done", machines });
    return request.op === "end";
  } catch (error) {
    log(`failed: ${messageOf(error)}`);
    const { code, why, hint } = isWeftError(error)
      ? error
      : { code: "WEFT-E600", why: undefined, hint: undefined };
    send({
      kind: "failed",
      code,
      message: messageOf(error),
      ...(why === undefined ? {} : { why }),
      ...(hint === undefined ? {} : { hint }),
    });
    return false;
  }
}
