// In: bytes as they are read, and what they should be. Out: the same bytes, and an error at the end where they are others.
import { createHash } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Descriptor } from "./parse-image.ts";

export class CheckedBlob {
  readonly #blob: Pick<Descriptor, "digest" | "size">;
  readonly #parts: AsyncIterable<Uint8Array>;
  #isRight = false;

  constructor(blob: Pick<Descriptor, "digest" | "size">, parts: AsyncIterable<Uint8Array>) {
    this.#blob = blob;
    this.#parts = parts;
  }

  /** Throws WEFT-E301: nothing that was made of them may be used. */
  async *parts(): AsyncGenerator<Uint8Array> {
    const { digest, size } = this.#blob;
    const hash = createHash("sha256");
    let length = 0;
    for await (const part of this.#parts) {
      length += part.length;
      if (length > size) break;
      hash.update(part);
      yield part;
    }
    const found = `sha256:${hash.digest("hex")}`;
    if (length !== size || found !== digest)
      throw new WeftError("WEFT-E301", `${digest} in the archive is not what its name says`, {
        why:
          length === size
            ? `Its bytes are those of ${found}.`
            : `It should have ${size} bytes, and has ${length > size ? "more" : length}.`,
        hint: "copy the image again",
      });
    this.#isRight = true;
  }

  /** Whoever unpacks may stop before the end: then nothing is known. */
  assertRight(): void {
    if (!this.#isRight)
      throw new WeftError("WEFT-E301", `${this.#blob.digest} in the archive goes on after its end`);
  }
}
