// In: the states of a lab's machines. Out: a table for people (pure).
import type { MachineStatus } from "./protocol.ts";

export function renderStatus(machines: readonly MachineStatus[]): string {
  const rows = machines.map((machine) => [
    machine.name,
    machine.state,
    machine.address,
    machine.address6,
    machine.cut ? "cut" : "plugged in",
  ]);
  const table = [["MACHINE", "STATE", "IPV4", "IPV6", "NETWORK"], ...rows];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
