// In: a joined machine. Out: how long the agent takes from its exec to its policy checked against the kernel and its
// stream to the coordinator open, in milliseconds, by systemd's clock and the journal's.
import type { Lab } from "../lab-src/lab.ts";
import { until, type World } from "../quickstart-src/world.ts";

const unit = "weft-node-agent.service";

export async function agentStartMs(world: World, machine: string): Promise<number> {
  const { lab } = world;
  await lab.run(machine, ["systemctl", "restart", unit]);
  const started = Number(
    await lab.run(machine, ["systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", "--value", unit]),
  );
  const connected = await until("the agent's stream", 30_000, () => connectedAt(lab, machine, started));
  return (connected - started) / 1000;
}

async function connectedAt(lab: Lab, machine: string, after: number): Promise<number | undefined> {
  const argv = ["journalctl", "-u", unit, "-o", "json", "-n", "20", "-b", "--no-pager"] as const;
  for (const line of (await lab.run(machine, argv)).split("\n")) {
    if (!line.includes("the coordinator is there")) continue;
    const at = Number((JSON.parse(line) as { __MONOTONIC_TIMESTAMP: string }).__MONOTONIC_TIMESTAMP);
    if (at > after) return at;
  }
  return undefined;
}
