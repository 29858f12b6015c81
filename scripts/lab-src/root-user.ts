// In: the user of this process. Out: a WeftError unless it is root.
import { WeftError } from "@weft/shared/errors/weft-error";

export function requireRoot(): void {
  if (process.getuid?.() !== 0)
    throw new WeftError("WEFT-E006", "a lab needs root", {
      why: "it is made of network namespaces, mounts and cgroups",
      hint: "run the same command with sudo",
    });
}
