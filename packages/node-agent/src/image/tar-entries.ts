// In: the bytes of a tar archive. Out: its entries in their order. What the reader leaves of an entry is passed over.
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { extract } from "tar-stream";

export interface TarEntry {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** @param through what unpacks them first. Throws WEFT-E003 over what is no archive, or ends too early. */
export async function* tarEntries(
  what: string,
  parts: AsyncIterable<Uint8Array>,
  through: readonly Transform[] = [],
): AsyncGenerator<TarEntry> {
  const reader = extract();
  const stop = new AbortController();
  const fed = pipeline([Readable.from(parts), ...through, reader], { signal: stop.signal }).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  /** The reader hears of what went wrong before it, and not always in the same words. */
  const reasonOf = async (failure: unknown): Promise<WeftError> => {
    const cause = (await fed) ?? failure;
    if (isWeftError(cause)) return cause;
    return new WeftError("WEFT-E003", `${what} is damaged`, { why: messageOf(cause), cause });
  };
  async function* contentOf(entry: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* entry;
    } catch (failure) {
      throw await reasonOf(failure);
    }
  }
  try {
    for await (const entry of reader) {
      const { name, type, size } = entry.header;
      yield { name, type: type ?? "unknown", size: size ?? 0, content: contentOf(entry) };
      entry.resume();
    }
  } catch (failure) {
    throw await reasonOf(failure);
  } finally {
    stop.abort();
    await fed;
  }
}
