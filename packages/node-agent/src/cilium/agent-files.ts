// In: what a node's agent of Cilium starts from, and the folder it is in. Out: exactly those files there.
import type { Host } from "../host/host.ts";
import type { StepBook } from "./step-book.ts";

/** Path -> content. */
export type WantedFiles = ReadonlyMap<string, string>;

/**
 * @param folders that hold nothing else: what is there beside is removed.
 * @param before the first change: where it fails nothing is changed, and the next look finds as much to do.
 */
export async function putFiles(
  { files }: Host,
  book: StepBook,
  wanted: WantedFiles,
  folders: readonly string[],
  before?: () => Promise<void>,
): Promise<void> {
  const differing: (readonly [string, string])[] = [];
  for (const [path, text] of wanted) if ((await files.readText(path)) !== text) differing.push([path, text]);
  const extra: string[] = [];
  for (const folder of folders)
    for (const name of await files.list(folder))
      if (!wanted.has(`${folder}/${name}`)) extra.push(`${folder}/${name}`);
  const [first] = [...differing.map(([path]) => path), ...extra];
  if (first === undefined) return;
  const others = differing.length + extra.length - 1;
  await book.do("writeFiles", others === 0 ? first : `${first} and ${others} more`, async () => {
    await before?.();
    for (const [path, text] of differing) await files.write(path, text, { mode: 0o644 });
    for (const path of extra) await files.remove(path);
  });
}
