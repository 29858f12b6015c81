// In: a line of JSON on the lab's control socket. Out: a typed request to the supervisor, or a typed answer from it.
import type { ErrorCode } from "@weft/shared/errors/codes";
import { z } from "zod";

const request = z.discriminatedUnion("op", [
  z.object({ op: z.literal("up"), nodes: z.number().int().min(0) }),
  z.object({ op: z.literal("status") }),
  z.object({ op: z.literal("end") }),
  z.object({ op: z.enum(["reboot", "crash", "cut", "heal"]), machine: z.string() }),
]);

const machineStatus = z.object({
  name: z.string(),
  state: z.enum(["starting", "running", "degraded", "stopped"]),
  address: z.string(),
  address6: z.string(),
  cut: z.boolean(),
});

const answer = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("progress"), text: z.string() }),
  z.object({ kind: z.literal("done"), machines: z.array(machineStatus) }),
  z.object({
    kind: z.literal("failed"),
    code: z.string(),
    message: z.string(),
    why: z.string().optional(),
    hint: z.string().optional(),
  }),
]);

export type LabRequest = z.infer<typeof request>;
export type LabAnswer = z.infer<typeof answer>;
export type MachineStatus = z.infer<typeof machineStatus>;

export function parseRequest(line: string): LabRequest {
  return request.parse(JSON.parse(line));
}

export function parseAnswer(line: string): LabAnswer {
  return answer.parse(JSON.parse(line));
}

export function encodeLine(message: LabRequest | LabAnswer): string {
  return `${JSON.stringify(message)}\n`;
}

/** The supervisor is this same program: its codes are ours. */
export function errorCodeOf(answered: string): ErrorCode {
  return answered as ErrorCode;
}
