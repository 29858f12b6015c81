// In: a lab's name and a request. Out: what its supervisor answered, or undefined when no supervisor lives.
import { once } from "node:events";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { errnoOf, isNotFound } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { LabNames } from "./names.ts";
import { encodeLine, errorCodeOf, type LabRequest, type MachineStatus, parseAnswer } from "./protocol.ts";

export async function askIfAlive(
  lab: LabNames,
  request: LabRequest,
  onProgress: (text: string) => void = () => undefined,
): Promise<MachineStatus[] | undefined> {
  const socket = createConnection(lab.controlSocket);
  try {
    await once(socket, "connect");
  } catch (error) {
    if (isNotFound(error) || errnoOf(error) === "ECONNREFUSED") return undefined;
    throw error;
  }
  socket.write(encodeLine(request));
  for await (const line of createInterface({ input: socket })) {
    const answer = parseAnswer(line);
    if (answer.kind === "progress") onProgress(answer.text);
    if (answer.kind === "done") return answer.machines;
    if (answer.kind === "failed")
      throw new WeftError(errorCodeOf(answer.code), answer.message, {
        ...(answer.why === undefined ? {} : { why: answer.why }),
        ...(answer.hint === undefined ? {} : { hint: answer.hint }),
      });
  }
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
