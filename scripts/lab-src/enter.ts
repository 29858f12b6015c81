// In: a running machine, a command and a user. Out: the command line that runs it inside: in all namespaces and
// in a cgroup of the machine, so that it ends with the machine, and with nothing of the caller's environment.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";
import { Cgroup, enteringCgroup, readCgroupMounts } from "./cgroups.ts";
import { entered, livingLeader, payload } from "./leader.ts";
import { type LabNames, machinePlaces } from "./names.ts";
import { findMachine } from "./topology.ts";

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/weft/bin";

export interface PasswdEntry {
  readonly uid: string;
  readonly gid: string;
  readonly home: string;
}

/** Pure: one user of an /etc/passwd. */
export function findUser(passwd: string, name: string): PasswdEntry | undefined {
  for (const line of passwd.split("\n")) {
    const [user, , uid, gid, , home] = line.split(":");
    if (user === name && uid !== undefined && gid !== undefined && home !== undefined)
      return { uid, gid, home };
  }
  return undefined;
}

export interface EnterOptions {
  /** A user of the machine; root when not given. */
  readonly user?: string | undefined;
  /** TERM, when the command has a terminal. */
  readonly terminal?: string | undefined;
}

export async function enterCommand(
  lab: LabNames,
  machine: string,
  argv: readonly [string, ...string[]],
  options: EnterOptions = {},
): Promise<[string, ...string[]]> {
  const { name } = findMachine(machine);
  const leader = await livingLeader(machinePlaces(lab, name).leader);
  if (leader === undefined)
    throw new WeftError("WEFT-E600", `machine ${machine} of lab ${lab.name} is not running`, {
      hint: `see scripts/lab status --name ${lab.name}, and start it with scripts/lab up --name ${lab.name}`,
    });
  const { user, terminal = "dumb" } = options;
  const entry = user === undefined ? undefined : await userOf(leader, machine, user);
  const home = entry?.home ?? "/root";
  return enteringCgroup(
    [await commandGroup(lab, machine)],
    [
      ...["nsenter", `--target=${leader}`, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"],
      ...["--root", "--wd", "--"],
      ...["/usr/bin/env", "-i", `PATH=${searchPath}`, `HOME=${home}`, "LANG=C.UTF-8", `TERM=${terminal}`],
      ...(user === undefined ? [] : [`USER=${user}`, `LOGNAME=${user}`]),
      ...(entry === undefined
        ? []
        : ["/usr/bin/setpriv", `--reuid=${entry.uid}`, `--regid=${entry.gid}`, "--init-groups", "--"]),
      ...argv,
    ],
  );
}

async function userOf(leader: number, machine: string, user: string): Promise<PasswdEntry> {
  const entry = findUser(await readFile(`/proc/${leader}/root/etc/passwd`, "utf8"), user);
  if (entry === undefined)
    throw new WeftError("WEFT-E001", `machine ${machine} has no user '${user}'`, {
      hint: "see 'getent passwd' on it",
    });
  return entry;
}

/** A cgroup inside the machine's own tree: what runs there is killed with the machine. */
async function commandGroup(lab: LabNames, machine: string): Promise<string> {
  const group = new Cgroup(await readCgroupMounts(), `${lab.cgroup}/${machine}/${payload}/${entered}`);
  try {
    await mkdir(group.unified);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
  return join(group.unified, "cgroup.procs");
}
