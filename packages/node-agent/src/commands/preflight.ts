// Before a machine joins: rules of others that may refuse what Weft will allow. Told, and nothing else: they may be meant.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { hookPlace } from "@weft/shared/kernel-verdict/foreign-hooks";
import { readForeignHooks } from "../facts/foreign-hooks.ts";
import type { Host } from "../host/host.ts";

const mostTold = 8;

export async function tellForeignHooks(host: Host, say: (line: string) => void): Promise<void> {
  try {
    const refusing = (await readForeignHooks(host)).filter(({ refuses }) => refuses);
    for (const hook of refusing.slice(0, mostTold)) say(`beside Weft: ${hookPlace(hook)}: ${hook.effect}`);
    if (refusing.length > mostTold)
      say(`beside Weft: ${refusing.length - mostTold} more; weft-node-agent doctor lists them`);
  } catch (failure) {
    // Without nft the join itself says so.
    if (!isWeftError(failure)) throw failure;
  }
}
