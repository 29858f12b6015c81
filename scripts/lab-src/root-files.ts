// In: files as data and a directory that becomes some machine's root. Out: the files, written below it.
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RootFile } from "./machine-files.ts";

export async function writeRootFiles(root: string, files: readonly RootFile[]): Promise<void> {
  for (const file of files) {
    const path = join(root, file.path);
    // removed first: a link of the package would be written through, out of the root
    await rm(path, { force: true });
    if ("absent" in file) continue;
    await mkdir(dirname(path), { recursive: true });
    if ("link" in file) {
      await symlink(file.link, path);
      continue;
    }
    await writeFile(path, file.text);
    await chmod(path, file.mode);
  }
}
