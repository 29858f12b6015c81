// In: a lab's name and a request. Out: what its supervisor answered, or undefined when no supervisor lives.
import { once } from "node:events";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { errnoOf, isNotFound } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { LabNames } from "./names.ts";
import { encodeLine, errorCodeOf, type LabRequest, type MachineStatus, parseAnswer } from "./protocol.ts";

/** What a socket says whose owner is dead or dying. */
const gone = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE"]);

export async function askIfAlive(
  lab: LabNames,
  request: LabRequest,
  onProgress: (text: string) => void = () => undefined,
): Promise<MachineStatus[] | undefined> {
  let heard = false;
  try {
    const socket = createConnection(lab.controlSocket);
    await once(socket, "connect");
    socket.write(encodeLine(request));
    for await (const line of createInterface({ input: socket })) {
      heard = true;
      const answer = parseAnswer(line);
      if (answer.kind === "progress") onProgress(answer.text);
      if (answer.kind === "done") return answer.machines;
      if (answer.kind === "failed")
        throw new WeftError(errorCodeOf(answer.code), answer.message, {
          ...(answer.why === undefined ? {} : { why: answer.why }),
          ...(answer.hint === undefined ? {} : { hint: answer.hint }),
        });
    }
  } catch (error) {
    if (!isNotFound(error) && !gone.has(errnoOf(error) ?? "")) throw error;
  }
  // a supervisor that is being killed may still accept, and then says nothing
  if (!heard) return undefined;
  throw new WeftError("WEFT-E600", `the supervisor of lab ${lab.name} ended before it answered`, {
    hint: `run scripts/lab up --name ${lab.name} again`,
  });
}

export async function ask(
  lab: LabNames,
  request: LabRequest,
  onProgress?: (text: string) => void,
): Promise<MachineStatus[]> {
  const answer = await askIfAlive(lab, request, onProgress);
  if (answer === undefined)
    throw new WeftError("WEFT-E600", `lab ${lab.name} is not up`, {
      hint: `start it with scripts/lab up --name ${lab.name}`,
    });
  return answer;
}
