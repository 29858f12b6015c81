// In: the wish. Out: the coordinator runs and answers on its control socket.
import type { CliContext } from "../cli/context.ts";
import { renderCoordinatorConfig } from "./coordinator-config.ts";
import type { InitWish } from "./init-wish.ts";
import type { Machine } from "./machine.ts";
import { places, units } from "./places.ts";
import { startUnit } from "./systemd.ts";
import { waitUntil } from "./wait-until.ts";

const deadlineMs = 30_000;

export async function bringUpCoordinator(
  machine: Machine,
  wish: InitWish,
  context: Pick<CliContext, "connect" | "signal">,
  socket: string,
): Promise<string> {
  // One that is there names the same mesh (existing-mesh.ts); what the operator added to it stays.
  const fresh = (await machine.readText(places.coordinatorConfig)) === undefined;
  if (fresh) await machine.writeFile(places.coordinatorConfig, renderCoordinatorConfig(wish), 0o644);
  await startUnit(machine, units.coordinator, fresh);
  const control = context.connect(socket);
  try {
    const version = await waitUntil(() => control.version(), {
      what: "the coordinator",
      deadlineMs,
      signal: context.signal,
    });
    return `${version} runs and answers on ${socket}`;
  } finally {
    control.close();
  }
}
