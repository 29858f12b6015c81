// In: a cgroup path of ours ("weft-lab.NAME/hub"). Out: that cgroup made, entered, killed or removed in every
// hierarchy of this machine: one directory on pure cgroup v2; on a hybrid machine one per v1 hierarchy as well.
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isNotFound } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";
import { signalIfThere } from "./signal-if-there.ts";
import { waitFor } from "./wait.ts";

export interface CgroupMounts {
  readonly unified: string;
  /** v1 hierarchies in which each machine needs a group of its own. */
  readonly legacy: readonly string[];
}

const wantedLegacy = ["name=systemd", "memory", "pids", "cpu", "cpuacct"];
const wantedControllers = ["cpu", "memory", "pids"];

/** Pure: from the text of /proc/self/mountinfo. */
export function parseCgroupMounts(mountinfo: string): CgroupMounts {
  let unified: string | undefined;
  const legacy: string[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const point = before?.split(" ")[4];
    const [type, , superOptions] = after?.split(" ") ?? [];
    if (point === undefined || type === undefined || !point.startsWith("/sys/fs/cgroup")) continue;
    if (type === "cgroup2") unified ??= point;
    if (type === "cgroup" && superOptions?.split(",").some((option) => wantedLegacy.includes(option)))
      legacy.push(point);
  }
  if (unified === undefined)
    throw new WeftError("WEFT-E007", "this machine has no cgroup v2", {
      why: "systemd machines run on it, and it is mounted nowhere below /sys/fs/cgroup",
      hint: "mount it: mount -t cgroup2 none /sys/fs/cgroup/unified",
    });
  return { unified, legacy };
}

export async function readCgroupMounts(): Promise<CgroupMounts> {
  return parseCgroupMounts(await readFile("/proc/self/mountinfo", "utf8"));
}

export class Cgroup {
  readonly path: string;
  readonly #mounts: CgroupMounts;

  constructor(mounts: CgroupMounts, path: string) {
    this.#mounts = mounts;
    this.path = path;
  }

  child(name: string): Cgroup {
    return new Cgroup(this.#mounts, `${this.path}/${name}`);
  }

  get unified(): string {
    return join(this.#mounts.unified, this.path);
  }

  #directories(): string[] {
    return [this.unified, ...this.#mounts.legacy.map((mount) => join(mount, this.path))];
  }

  async make(): Promise<void> {
    for (const directory of this.#directories()) await mkdir(directory, { recursive: true });
  }

  /** Lets children have limits, as far as this machine's cgroup v2 has the controllers. */
  async delegate(): Promise<void> {
    const has = (await readFile(join(this.unified, "cgroup.controllers"), "utf8")).trim().split(" ");
    for (const controller of wantedControllers.filter((name) => has.includes(name)))
      await writeFile(join(this.unified, "cgroup.subtree_control"), `+${controller}`);
  }

  /** Files into which a process writes its number to enter. */
  entries(): string[] {
    return this.#directories().map((directory) => join(directory, "cgroup.procs"));
  }

  async enter(pid: number): Promise<void> {
    for (const file of this.entries()) await writeFile(file, String(pid));
  }

  /** Kills everything inside, below included, and returns when nothing is left. */
  async kill(): Promise<void> {
    try {
      await writeFile(join(this.unified, "cgroup.kill"), "1");
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    await waitFor(
      { what: `the end of the processes in cgroup ${this.path}`, deadlineMs: 20_000 },
      async () => ((await this.#populated()) ? undefined : true),
    );
  }

  /** Lets run on what was stopped in here. A group or process that is gone meanwhile is no error. */
  async continue(): Promise<void> {
    for (const pid of await this.#processes()) signalIfThere(pid, "SIGCONT");
  }

  async #processes(): Promise<number[]> {
    try {
      const text = await readFile(join(this.unified, "cgroup.procs"), "utf8");
      return text.split("\n").filter(Boolean).map(Number);
    } catch (error) {
      // ENODEV: removed between open and read
      if (isNotFound(error) || errnoOf(error) === "ENODEV") return [];
      throw error;
    }
  }

  async #populated(): Promise<boolean> {
    try {
      return (await readFile(join(this.unified, "cgroup.events"), "utf8")).includes("populated 1");
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async remove(): Promise<void> {
    for (const directory of this.#directories()) await removeTree(directory);
  }
}

async function removeTree(directory: string): Promise<void> {
  try {
    for (const entry of await readdir(directory, { withFileTypes: true }))
      if (entry.isDirectory()) await removeTree(join(directory, entry.name));
    await rmdir(directory);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Wraps a command so that it runs in the cgroups from its first instruction on. */
export function enteringCgroup(entries: readonly string[], argv: readonly string[]): [string, ...string[]] {
  const script = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"';
  return ["/bin/sh", "-c", script, "enter", ...entries, "--", ...argv];
}
