// In: a path. Out: the file there, read and replaced as a whole: 0600, on disk before the old one is gone.
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { SvidFile } from "./own-identity.ts";

async function writeWhole(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  const file = await open(fresh, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function svidFile(path: string): SvidFile {
  return {
    async read() {
      try {
        return await readFile(path, "utf8");
      } catch (failure) {
        if (isNotFound(failure)) return undefined;
        throw new WeftError("WEFT-E002", `${path} cannot be read`, {
          why: messageOf(failure),
          cause: failure,
        });
      }
    },
    async write(text) {
      try {
        await writeWhole(path, text);
      } catch (failure) {
        throw new WeftError("WEFT-E002", `${path} cannot be written`, {
          why: messageOf(failure),
          cause: failure,
        });
      }
    },
  };
}
