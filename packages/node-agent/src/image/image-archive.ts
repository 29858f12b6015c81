// In: an OCI image layout, as a folder or as a tar archive. Out: its files. Nothing is believed of them here.
import { buffer } from "node:stream/consumers";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Files } from "../host/host.ts";
import { tarEntries } from "./tar-entries.ts";

export interface ImageArchive {
  /** undefined: there is no such file. */
  open(name: string): Promise<AsyncIterable<Uint8Array> | undefined>;
}

const index = "index.json";
/** What says how the image is made is small, and is asked for first; a layer is looked for again. */
const smallBytes = 1 << 20;
const roomForSmall = 16 << 20;

export function blobName(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

export async function openArchive(files: Files, path: string): Promise<ImageArchive> {
  const folder: ImageArchive = {
    open: async (name) => {
      const at = `${path}/${name}`;
      return (await files.info(at))?.kind === "file" ? files.parts(at) : undefined;
    },
  };
  const info = await files.info(path);
  if (info === undefined) throw new WeftError("WEFT-E002", `there is no ${path}`);
  const archive = info.kind === "directory" ? folder : await TarArchive.read(files, path);
  if ((await archive.open(index)) !== undefined) return archive;
  throw new WeftError("WEFT-E003", `${path} is no image in the OCI layout`, {
    why: `It has no ${index}.`,
    hint: "docs/cilium.md says how to get one",
  });
}

class TarArchive implements ImageArchive {
  readonly #files: Files;
  readonly #path: string;
  readonly #names = new Set<string>();
  readonly #small = new Map<string, Uint8Array>();

  private constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
  }

  static async read(files: Files, path: string): Promise<TarArchive> {
    const archive = new TarArchive(files, path);
    let room = roomForSmall;
    for await (const { name, type, size, content } of archive.#entries()) {
      if (type !== "file") continue;
      archive.#names.add(name);
      if (size > smallBytes || size > room) continue;
      room -= size;
      archive.#small.set(name, await buffer(content));
    }
    return archive;
  }

  async open(name: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    if (!this.#names.has(name)) return undefined;
    const small = this.#small.get(name);
    return small === undefined ? this.#found(name) : once(small);
  }

  async *#entries() {
    for await (const entry of tarEntries(this.#path, this.#files.parts(this.#path)))
      yield { ...entry, name: entry.name.replace(/^(\.\/)+/, "") };
  }

  async *#found(wanted: string): AsyncGenerator<Uint8Array> {
    for await (const { name, type, content } of this.#entries())
      if (name === wanted && type === "file") {
        yield* content;
        return;
      }
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
