// In: a directory, and nodes with their policy files. Out: DIR/NODE/NAME.yaml. A node's folder comes to be whole, by rename, or
// not at all; one that already holds something is refused.
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isNotFound } from "@weft/shared/errors/system";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { PreviewedNode } from "../cilium/preview.ts";

async function refuseFilled(path: string): Promise<void> {
  try {
    if ((await readdir(path)).length === 0) return;
  } catch (failure) {
    if (isNotFound(failure)) return;
    throw unwritable(path, failure);
  }
  throw new WeftError("WEFT-E001", `${path} is not empty`, {
    why: "Files of an earlier preview beside these would be policies, too.",
    hint: "name another directory, or remove it first",
  });
}

function unwritable(path: string, cause: unknown): WeftError {
  return new WeftError("WEFT-E002", `${path} cannot be written`, {
    why: errnoOf(cause) ?? messageOf(cause),
    hint: "name a directory that this user may write; a node's folder is there whole, or not",
    cause,
  });
}

export async function writePolicyFolders(out: string, nodes: readonly PreviewedNode[]): Promise<void> {
  for (const { node } of nodes) await refuseFilled(join(out, node));
  try {
    await mkdir(out, { recursive: true });
    // beside the folders, so that a rename is one
    const draft = await mkdtemp(join(out, ".weft-preview-"));
    try {
      for (const { node, services } of nodes) {
        await mkdir(join(draft, node));
        for (const { file } of services)
          await writeFile(join(draft, node, file.name), file.text, { flag: "wx" });
      }
      for (const { node } of nodes) await rename(join(draft, node), join(out, node));
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  } catch (failure) {
    throw unwritable(out, failure);
  }
}
