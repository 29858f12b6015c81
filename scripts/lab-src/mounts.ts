// In: a directory. Out: nothing is mounted at or below it any more.
import { readFile } from "node:fs/promises";
import { run } from "./run.ts";

/** Pure: the mount points at or below a directory, deepest (last mounted) first. */
export function mountsBelow(mountinfo: string, directory: string): string[] {
  return mountinfo
    .split("\n")
    .map((line) => unescapeMount(line.split(" ")[4] ?? ""))
    .filter((point) => point === directory || point.startsWith(`${directory}/`))
    .reverse();
}

/** The kernel writes blanks and backslashes in octal. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

export async function unmountBelow(directory: string): Promise<void> {
  // lazily: a namespace that is still ending may hold the mount a moment longer
  for (const point of mountsBelow(await readFile("/proc/self/mountinfo", "utf8"), directory))
    await run(["umount", "--lazy", point]);
}
