// In: what is confirmed on disk. Out: it alone judging in the kernel, whatever is staged or armed beside it.
import { renderDisarming } from "@weft/shared/render/nftables";
import type { Host } from "../host/host.ts";
import { readConfirmed } from "./confirmed.ts";
import { loadScript, readArmed } from "./kernel-table.ts";

export async function goBack({ files, exec }: Pick<Host, "files" | "exec">): Promise<void> {
  const confirmed = await readConfirmed(files);
  if (confirmed?.source === "confirmed") await loadScript(exec, confirmed.text);
  // Its file is damaged; the kernel still has it, whole, in the other slot.
  else if ((await readArmed(exec)) !== undefined) await loadScript(exec, renderDisarming());
}
