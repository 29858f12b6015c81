// In: a path and its whole text. Out: the file so, with an undo that puts back what was there, byte for byte.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { StepArgs } from "@weft/shared/model/step";
import type { FileInfo, Files } from "../host/host.ts";
import type { Executor, Undo } from "./executor.ts";

interface Before {
  readonly info: FileInfo | undefined;
  readonly bytes: Uint8Array | undefined;
}

async function remember(files: Files, path: string): Promise<Before> {
  const info = await files.info(path);
  if (info !== undefined && info.kind !== "file")
    throw new WeftError("WEFT-E002", `${path} is a ${info.kind}, not a file of ours`);
  return { info, bytes: await files.read(path) };
}

function putBack(files: Files, path: string, before: Before): Undo {
  const { info, bytes } = before;
  return info === undefined || bytes === undefined
    ? () => files.remove(path)
    : () => files.write(path, bytes, { mode: info.mode, uid: info.uid, gid: info.gid });
}

export class WriteFile implements Executor<"writeFile"> {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  async apply({ path, text, mode }: StepArgs["writeFile"]): Promise<Undo> {
    const before = await remember(this.#files, path);
    await this.#files.write(path, text, { mode });
    return putBack(this.#files, path, before);
  }

  async verify({ path, text }: StepArgs["writeFile"]): Promise<void> {
    if ((await this.#files.readText(path)) !== text)
      throw new WeftError("WEFT-E002", `${path} does not hold what was written`);
  }
}

export class RemoveFile implements Executor<"removeFile"> {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  async apply({ path }: StepArgs["removeFile"]): Promise<Undo> {
    const before = await remember(this.#files, path);
    await this.#files.remove(path);
    return putBack(this.#files, path, before);
  }

  async verify({ path }: StepArgs["removeFile"]): Promise<void> {
    if ((await this.#files.info(path)) !== undefined)
      throw new WeftError("WEFT-E002", `${path} is still there`);
  }
}
