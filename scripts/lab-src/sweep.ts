// In: a lab's name. Out: nothing of that lab is left on this machine, whatever state it was in: found by name
// in the kernel and on disk, not in any record of ours, so that it works after any crash.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { Cgroup, readCgroupMounts } from "./cgroups.ts";
import { unmountBelow } from "./mounts.ts";
import type { LabNames } from "./names.ts";
import { labNamespaces } from "./network.ts";
import { run } from "./run.ts";

/** systemd-nspawn leaves one directory per machine here. */
const nspawnLeftovers = "/run/systemd/nspawn/propagate";

export async function sweepLab(lab: LabNames): Promise<void> {
  const cgroup = new Cgroup(await readCgroupMounts(), lab.cgroup);
  await cgroup.kill();
  await unmountBelow(lab.directory);
  for (const namespace of await labNamespaces(lab)) await run(["ip", "netns", "delete", namespace]);
  await cgroup.remove();
  for (const name of await list(nspawnLeftovers))
    if (name.startsWith(lab.prefix)) await rm(join(nspawnLeftovers, name), { recursive: true, force: true });
  await rm(lab.directory, { recursive: true, force: true });
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
