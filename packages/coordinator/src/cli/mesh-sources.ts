// In: paths as typed. Out: the texts of the mesh files there. A directory stands for its .yaml and .yml files by name.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { SourceText } from "../store/records.ts";

const largestBytes = 16 * 1024 * 1024;

function unreadable(path: string, cause: unknown): WeftError {
  const errno = errnoOf(cause);
  const whys: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    EACCES: "this user may not read it",
  };
  return new WeftError("WEFT-E001", `${path} cannot be read`, {
    ...(errno === undefined ? {} : { why: whys[errno] ?? errno }),
    hint: "name the mesh file, or the directory that holds its parts",
    cause,
  });
}

async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path);
  if (!found.isDirectory()) {
    if (found.size > largestBytes) throw new WeftError("WEFT-E001", `${path} is larger than 16 MiB`);
    return [path];
  }
  const names = (await readdir(path)).filter((name) => /^[^.].*\.ya?ml$/.test(name));
  if (names.length === 0)
    throw new WeftError("WEFT-E001", `${path} holds no .yaml file`, { hint: "name the mesh file itself" });
  return names.sort((a, b) => (a < b ? -1 : 1)).map((name) => join(path, name));
}

export async function readMeshSources(paths: readonly string[]): Promise<SourceText[]> {
  const sources: SourceText[] = [];
  for (const path of paths) {
    try {
      for (const file of await filesAt(path))
        sources.push({ name: file, text: await readFile(file, "utf8") });
    } catch (failure) {
      throw errnoOf(failure) === undefined ? failure : unreadable(path, failure);
    }
  }
  return sources;
}
