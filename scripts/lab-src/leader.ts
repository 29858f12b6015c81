// In: a machine's cgroup or leader file. Out: the process that is PID 1 inside the machine, safe against reused numbers.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isNotFound } from "@weft/shared/errors/system";

/** The cgroup systemd-nspawn gives to the machine, below the machine's own. */
export const payload = "payload";

/** The cgroup below it of what enters the machine from outside. */
export const entered = "lab-exec";

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    // ESRCH: the process ended between open and read
    if (isNotFound(error) || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
}

/** Pure: field 22 of /proc/PID/stat; the second field is in brackets and may hold anything. */
export function startTimeOf(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/** Pure: from /proc/PID/status, whether the process is PID 1 one namespace further in. */
export function isInit(status: string): boolean {
  return /^NSpid:(\t\d+)+\t1$/m.test(status);
}

/** "PID START", or undefined while the machine's systemd has not settled in its own cgroup. */
export async function findLeader(machineCgroup: string): Promise<string | undefined> {
  const processes = await read(join(machineCgroup, payload, "init.scope/cgroup.procs"));
  for (const pid of processes?.split("\n").filter((line) => line !== "") ?? []) {
    const status = await read(`/proc/${pid}/status`);
    const stat = await read(`/proc/${pid}/stat`);
    if (status !== undefined && stat !== undefined && isInit(status)) return `${pid} ${startTimeOf(stat)}`;
  }
  return undefined;
}

/** The number of the leader named in a leader file, if that very process still lives. */
export async function livingLeader(file: string): Promise<number | undefined> {
  const [pid, start] = (await read(file))?.trim().split(" ") ?? [];
  if (pid === undefined || start === undefined) return undefined;
  const stat = await read(`/proc/${pid}/stat`);
  return stat !== undefined && startTimeOf(stat) === start ? Number(pid) : undefined;
}
