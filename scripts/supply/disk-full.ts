// In: words or errors of a full disk, from whatever program. Out: one error that names the folder and the way on.
import { errnoOf } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";

/** Marks another program's words as the errno they stand for; anything else gives undefined. */
export function diskFullIn(words: string): Error | undefined {
  return /no space left on device|disk quota exceeded/i.test(words)
    ? Object.assign(new Error("no space left on device"), { code: "ENOSPC" })
    : undefined;
}

/** Runs the work; a full disk becomes a plain sentence. */
export async function explainDiskFull<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== "ENOSPC" && errno !== "EDQUOT") throw error;
    throw new WeftError("WEFT-E300", `${folder} is on a full disk`, {
      why: "writing there ended with: no space left on device",
      hint: "free some space (a build needs about 6 GB, a download 0.5 GB) and run this again; nothing half-made was kept",
      cause: error,
    });
  }
}
