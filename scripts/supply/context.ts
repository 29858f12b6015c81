// In: where the catalogue is, the environment. Out: the real context of a supply: this user's cache, this machine's
// PATH, progress on standard error.
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { platformOf } from "./catalogue.ts";
import { usualGoCommands } from "./go-toolchain.ts";
import type { SupplyContext } from "./supply.ts";

export function makeSupplyContext(catalogueFile: string, signal: AbortSignal): SupplyContext {
  const cacheHome = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const path = (process.env["PATH"] ?? "").split(":").filter((folder) => folder.startsWith("/"));
  return {
    root: join(cacheHome, "weft", "components"),
    platform: platformOf(process.platform, process.arch),
    signal,
    connectTimeoutMs: 8_000,
    stallTimeoutMs: 30_000,
    installedFolders: ["/opt/weft/components", ...path],
    modules: dirname(catalogueFile),
    goCommands: usualGoCommands,
    goWheel: process.arch === "x64",
    line: (text) => process.stderr.write(`components: ${text}\n`),
    now: () => performance.now(),
  };
}
