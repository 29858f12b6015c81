// In: what to do with the coordinator. Out: its result, the connection closed behind it.
import type { Command } from "commander";
import type { CliContext } from "./context.ts";
import type { Control } from "./control.ts";

export const usualSocket = "/run/weft/control.sock";

export async function withControl<T>(
  context: CliContext,
  command: Command,
  use: (control: Control) => Promise<T>,
): Promise<T> {
  const { socket } = command.optsWithGlobals<{ socket?: string }>();
  const control = context.connect(socket ?? usualSocket);
  try {
    return await use(control);
  } finally {
    control.close();
  }
}
