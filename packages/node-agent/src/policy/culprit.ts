// In: the process that the kernel names as the author of a change. Out: what can be said of it in a few words: itself,
// who ran it, in which unit. Never its arguments: secrets stand there. A short-lived program is often gone by then.
import type { Files } from "../host/host.ts";
import type { Author } from "./kernel-watch.ts";

export interface Culprit {
  /** The same for every process of its kind: what a fight is counted by. */
  readonly kind: string;
  /** With its number. */
  readonly said: string;
}

export const unknownCulprit: Culprit = { kind: "unknown process", said: "unknown process" };

/** PROC_PID_INIT_INO: only there do the kernel's process numbers mean what they say. */
const firstPidNamespace = "pid:[4026531836]";
const mostOfName = 48;

export async function culpritOf(files: Files, author: Author | undefined): Promise<Culprit> {
  if (author === undefined) return unknownCulprit;
  const comm = printable(author.comm);
  const bare = (note: string): Culprit => ({ kind: comm, said: `${comm} (process ${author.pid}${note})` });
  const own = await files.info("/proc/self/ns/pid").catch(() => undefined);
  if (own?.target !== firstPidNamespace) return bare(" as the kernel counts");
  const of = (pid: number, file: string) =>
    files.readText(`/proc/${pid}/${file}`).catch((): undefined => undefined);
  const [name, command, status, cgroup] = await Promise.all(
    ["comm", "cmdline", "status", "cgroup"].map((file) => of(author.pid, file)),
  );
  // It has ended, or another process has its number by now.
  if (name?.trimEnd() !== author.comm || status === undefined) return bare(", ended since");
  const parentPid = Number(/^PPid:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  const parent = parentPid > 0 ? printable((await of(parentPid, "comm"))?.trimEnd() ?? "") : "";
  // A process may have put anything there: its first word, and no more.
  const program = printable(command?.split(/[\0\s]/)[0] ?? "");
  const unit = unitOf(cgroup ?? "");
  const origin = [parent === "" ? "" : `run by ${parent}`, unit === "" ? "" : `in ${unit}`].filter(
    (part) => part !== "",
  );
  const kind = [comm, ...origin].join(" ");
  const path = program === "" || program === comm ? "" : `, ${program}`;
  return { kind, said: `${comm} (process ${author.pid}${path}) ${origin.join(" ")}`.trimEnd() };
}

/** The innermost unit that a path of control groups names. */
function unitOf(cgroup: string): string {
  const units = cgroup.match(/[^/\n]+\.(?:service|scope)(?=[/\n]|$)/g) ?? [];
  return printable(units.at(-1) ?? "");
}

/** Names are what a process made of them. */
function printable(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]/g, "?").slice(0, mostOfName);
}
