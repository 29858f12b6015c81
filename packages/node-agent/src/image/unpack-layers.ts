// In: an image's layers, the lowest first. Out: the programs that are wanted of them in a folder, and nothing else there. What
// fails leaves the folder in any state: it is of no use then.
import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Files } from "../host/host.ts";
import {
  decideEntry,
  type EntryFate,
  isAtOrBelow,
  targetOf,
  wantedFolder,
  wantedPrograms,
} from "./decide-entry.ts";
import type { ImageArchive } from "./image-archive.ts";
import { LayerTree } from "./layer-tree.ts";
import { type Descriptor, type Packing, packingOf } from "./parse-image.ts";
import { type TarEntry, tarEntries } from "./tar-entries.ts";
import { openBlob } from "./trusted-image.ts";

/** More than four times what was ever seen: a layer whose hash turns out wrong must not have filled the disk before. */
const roomBytes = 2 * 2 ** 30;

const unpackers: Readonly<Record<Packing, () => Transform[]>> = {
  gzip: () => [createGunzip()],
  zstd: () => [createZstdDecompress()],
  plain: () => [],
};

export class LayerUnpacker {
  readonly #files: Files;
  readonly #archive: ImageArchive;
  readonly #folder: string;
  readonly #tree = new LayerTree();
  #layer = 0;
  #room: number;

  constructor(files: Files, archive: ImageArchive, folder: string, room = roomBytes) {
    this.#files = files;
    this.#archive = archive;
    this.#folder = folder;
    this.#room = room;
  }

  /** The next one above. */
  async unpack(layer: Descriptor, signal: AbortSignal): Promise<void> {
    this.#layer += 1;
    const blob = await openBlob(this.#archive, layer);
    for await (const entry of tarEntries(layer.digest, blob.parts(), unpackers[packingOf(layer)]())) {
      signal.throwIfAborted();
      await this.#follow(decideEntry(entry.name, entry.type), entry);
    }
    blob.assertRight();
  }

  /** Throws WEFT-E003 where something of it is missing that no agent runs without. */
  assertWhole(): void {
    const missing = [
      ...wantedPrograms
        .filter(({ path, isOptional }) => !isOptional && !this.#tree.has(path))
        .map(({ path }) => path),
      ...(this.#tree.hasBelow(wantedFolder.path) ? [] : [`${wantedFolder.path}/`]),
    ];
    if (missing.length > 0)
      throw new WeftError("WEFT-E003", `the image has no ${missing.join(", no ")}`, {
        why: "It is no image of a Cilium agent, or one of another form.",
      });
  }

  async #follow(fate: EntryFate, entry: TarEntry): Promise<void> {
    if (fate.fate === "skip") return;
    const { path } = fate;
    switch (fate.fate) {
      case "whiteout":
        return this.#lose(this.#layer, (other) => isAtOrBelow(other, path));
      case "opaque":
        return this.#lose(this.#layer, (other) => path === "" || other.startsWith(`${path}/`));
      case "folder":
        return this.#lose(this.#layer + 1, (other) => other === path);
      case "cover":
        return this.#lose(this.#layer + 1, (other) => isAtOrBelow(other, path));
      case "file":
        await this.#lose(this.#layer + 1, (other) => isAtOrBelow(other, path));
        await this.#put(`${this.#folder}/${fate.target}`, this.#bounded(entry), fate.mode);
        this.#tree.take(path, this.#layer);
    }
  }

  async #put(at: string, content: AsyncIterable<Uint8Array>, mode: number): Promise<void> {
    // what a folder had is lost by now, but the folder is there
    if ((await this.#files.info(at))?.kind === "directory") await this.#files.removeTree(at);
    await this.#files.write(at, content, { mode });
  }

  async #lose(layer: number, isMeant: (path: string) => boolean): Promise<void> {
    for (const path of this.#tree.lose(layer, isMeant))
      await this.#files.remove(`${this.#folder}/${targetOf(path)}`);
  }

  async *#bounded({ content }: TarEntry): AsyncGenerator<Uint8Array> {
    for await (const part of content) {
      this.#room -= part.length;
      if (this.#room < 0)
        throw new WeftError("WEFT-E003", "the image's programs are far bigger than those of any version");
      yield part;
    }
  }
}
