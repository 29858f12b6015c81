// In: a lab that comes or goes. Out: its directory, and while any lab exists a kernel limit high enough for many
// machines: each holds about six inotify instances, and the usual limit of 128 ends at some twenty machines.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { withLock } from "./lock.ts";
import { type LabNames, labsDirectory } from "./names.ts";

const limitFile = "/proc/sys/fs/inotify/max_user_instances";
const wantedLimit = 4096;
/** The limit as it was before the first lab, put back by the last one. A lab's name cannot begin with a dot. */
const beforeFile = ".inotify-before";

function alone<T>(work: () => Promise<T>): Promise<T> {
  // held for milliseconds: not worth a word
  return withLock("weft-lab-directory", () => undefined, work);
}

export function claimDirectory(lab: LabNames): Promise<void> {
  return alone(async () => {
    await mkdir(lab.directory, { recursive: true, mode: 0o700 });
    const limit = (await readFile(limitFile, "utf8")).trim();
    if (Number(limit) >= wantedLimit) return;
    // recorded once: if somebody lowered the limit since, the first value is still the true one
    if (!(await list()).includes(beforeFile)) await writeFile(join(labsDirectory, beforeFile), limit);
    await writeFile(limitFile, String(wantedLimit));
  });
}

/** When no lab is left: the limit as it was, and no directory. */
export function releaseDirectory(): Promise<void> {
  return alone(async () => {
    const entries = await list();
    if (entries.some((name) => name !== beforeFile)) return;
    if (entries.includes(beforeFile)) {
      const before = await readFile(join(labsDirectory, beforeFile), "utf8");
      // empty: killed before it was written, and so before the limit was touched
      if (before !== "") await writeFile(limitFile, before);
    }
    await rm(labsDirectory, { recursive: true, force: true });
  });
}

async function list(): Promise<string[]> {
  try {
    return await readdir(labsDirectory);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
