// In: units that run, or are to run, in a namespace. Out: which of them a drop-in of ours moves, and the way back in its parts.
// A mark beside the drop-in says that the unit was started anew since: whoever is interrupted in between is found by it.
import { byText } from "@weft/shared/plan/text-order";
import { ciliumPlaces, dropInFile } from "@weft/shared/render/cilium-places";
import type { Host } from "../host/host.ts";

const unitFolder = "/etc/systemd/system";
const passing = "# weft: this unit is on its way back into the machine's own network\n";

/** Units that a drop-in of ours moves into a namespace, sorted. */
export async function movedUnits({ files }: Host): Promise<string[]> {
  const found: string[] = [];
  for (const folder of await files.list(unitFolder)) {
    if (!folder.endsWith(".service.d")) continue;
    const unit = folder.slice(0, -2);
    if ((await files.info(dropInFile(unit))) !== undefined) found.push(unit);
  }
  return found.sort(byText);
}

const markOf = (unit: string): string => `${ciliumPlaces.moved}/${unit}`;

/** It was started anew with this drop-in, or is stopped and will be. */
export async function isMoved({ files }: Host, unit: string, text?: string): Promise<boolean> {
  const mark = await files.readText(markOf(unit));
  return text === undefined ? mark !== undefined : mark === text;
}

export function markMoved({ files }: Host, unit: string, text: string): Promise<void> {
  return files.write(markOf(unit), text);
}

/** Emptied, not removed: whoever comes after a failure between this and the restart still knows which units to restart. */
export async function releaseUnits(host: Host, units: readonly string[]): Promise<void> {
  for (const unit of units) {
    await host.files.remove(markOf(unit));
    await host.files.write(dropInFile(unit), passing);
  }
  if (units.length > 0) await host.units.reload();
}

export async function restartIfUsed({ units }: Host, unit: string): Promise<void> {
  const { exists, active } = await units.state(unit);
  if (exists && active !== "inactive") await units.restart(unit);
}

/** Also of a unit that did not start again: that it does not is no matter of its network any more. */
export async function removeDropIns({ files, units }: Host, moved: readonly string[]): Promise<void> {
  for (const unit of moved) {
    await files.remove(dropInFile(unit));
    const folder = `${unitFolder}/${unit}.d`;
    if ((await files.list(folder)).length === 0) await files.removeTree(folder);
  }
  if (moved.length > 0) await units.reload();
}
