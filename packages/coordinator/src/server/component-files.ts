// In: a component's name and the hash a node expects. Out: the bytes of the file of that name, if it has that hash.
// The path is made of a fixed list of names; nothing a caller sends becomes part of it.
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";

const names = ["spire-agent", "coredns", "etcd", "etcdctl", "etcdutl"] as const;
type ComponentName = (typeof names)[number];

export const chunkBytes = 128 * 1024;

export class ComponentFiles {
  readonly #folder: string;
  /** Hash by name, as long as the file is the same one. */
  readonly #hashes = new Map<ComponentName, { readonly stamp: string; readonly sha256: string }>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async #open(name: ComponentName): Promise<FileHandle> {
    try {
      return await open(join(this.#folder, name), "r");
    } catch (failure) {
      if (!isNotFound(failure)) throw failure;
      throw new WeftError("WEFT-E300", `the coordinator has no component ${name}`, {
        hint: "install it on the coordinator's machine: install.sh coordinator --components FILE",
        cause: failure,
      });
    }
  }

  async #hashOf(name: ComponentName, file: FileHandle): Promise<string> {
    const { ino, size, mtimeMs } = await file.stat();
    const stamp = `${ino} ${size} ${mtimeMs}`;
    const known = this.#hashes.get(name);
    if (known?.stamp === stamp) return known.sha256;
    const hash = createHash("sha256");
    for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) hash.update(chunk);
    const sha256 = hash.digest("hex");
    this.#hashes.set(name, { stamp, sha256 });
    return sha256;
  }

  /** `send` resolves when the chunk has left. */
  async stream(
    wanted: { readonly name: string; readonly sha256: string },
    send: (data: Buffer, totalBytes: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const name = names.find((known) => known === wanted.name);
    if (name === undefined)
      throw new WeftError("WEFT-E300", "there is no such component", {
        why: `there are ${names.join(", ")}`,
      });
    const file = await this.#open(name);
    try {
      const sha256 = await this.#hashOf(name, file);
      if (sha256 !== wanted.sha256)
        throw new WeftError(
          "WEFT-E301",
          `the coordinator's ${name} is not the one this node's release wants`,
          {
            why: `it has the hash ${sha256}`,
            hint: "install the same release of Weft on both machines",
          },
        );
      const { size } = await file.stat();
      // One buffer for the whole file: each chunk has been encoded before `send` resolves.
      const buffer = Buffer.allocUnsafeSlow(chunkBytes);
      for (let position = 0; position < size && !signal.aborted; ) {
        const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
        if (bytesRead === 0) return;
        await send(buffer.subarray(0, bytesRead), size);
        position += bytesRead;
      }
    } finally {
      await file.close();
    }
  }
}
