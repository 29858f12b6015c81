// In: a unit. Out: it is enabled and runs, or WEFT-E402 with the end of its journal.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Machine } from "./machine.ts";

export async function unitIsActive(machine: Machine, unit: string): Promise<boolean> {
  return (await machine.run("systemctl", ["is-active", "--quiet", unit])).code === 0;
}

async function journalOf(machine: Machine, unit: string): Promise<string> {
  const { stdout } = await machine.run("journalctl", ["-u", unit, "-n", "5", "--no-pager", "-o", "cat"]);
  return stdout.trim();
}

/** @param restart what it read at its start has changed */
export async function startUnit(machine: Machine, unit: string, restart: boolean): Promise<void> {
  for (const args of [
    ["enable", "--quiet", unit],
    [restart ? "restart" : "start", unit],
  ]) {
    const { code, stderr } = await machine.run("systemctl", args, { timeoutMs: 60_000 });
    if (code === 0) continue;
    const journal = await journalOf(machine, unit);
    throw new WeftError("WEFT-E402", `systemctl ${args.join(" ")} failed`, {
      why: [stderr.trim(), journal].filter((text) => text !== "").join("\n"),
      hint: `read \`journalctl -u ${unit}\`, then run \`weft init\` again`,
    });
  }
}
