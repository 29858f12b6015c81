// In: the files of a release, or component binaries. Out: the tarballs, written beside their place and renamed.
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, gzipSync } from "node:zlib";
import type { ReleaseFile } from "./release.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar.ts";

// the runtime is nine tenths of the bytes: a stronger level costs 15 s and saves a tenth
const level = 2;

/**
 * A gzip file may consist of several members, so the compressed runtime is kept and only the rest is made anew.
 * @param runtime the Node binary, and its hash to keep the compressed form by
 */
export async function writeRelease(
  target: string,
  top: string,
  files: readonly ReleaseFile[],
  runtime: { readonly path: string; readonly sha256: string },
): Promise<void> {
  const folders = new Set(files.map(({ path }) => (path.includes("/") ? `${dirname(path)}/` : "")));
  const chunks: Buffer[] = [];
  for (const folder of [...folders].sort(byText))
    chunks.push(tarHeader({ path: `${top}/${folder}`, size: 0, executable: true }));
  for (const { path, content, executable } of files)
    chunks.push(
      tarHeader({ path: `${top}/${path}`, size: content.length, executable }),
      content,
      tarPadding(content.length),
    );
  const first = gzipSync(Buffer.concat(chunks), { level });
  const kept = await compressRuntime(join(dirname(target), ".runtime"), `${top}/lib/node`, runtime);
  const last = gzipSync(tarEnd(), { level });
  await replace(target, async function* () {
    yield first;
    yield* createReadStream(kept);
    yield last;
  });
}

async function compressRuntime(
  folder: string,
  path: string,
  runtime: { readonly path: string; readonly sha256: string },
): Promise<string> {
  const key = `${path.replaceAll("/", "-")}-${runtime.sha256.slice(0, 16)}-${level}.gz`;
  const kept = join(folder, key);
  if (existsSync(kept)) return kept;
  await mkdir(folder, { recursive: true });
  for (const old of await readdir(folder)) await rm(join(folder, old));
  const { size } = await stat(runtime.path);
  const part = `${kept}.part`;
  await pipeline(
    Readable.from(member({ path, size, executable: true }, runtime.path)),
    createGzip({ level, chunkSize: 1 << 20 }),
    createWriteStream(part),
  );
  await rename(part, kept);
  return kept;
}

/** Not compressed: it is unpacked far more often than it is moved. */
export async function writeComponents(
  target: string,
  binaries: Readonly<Record<string, string>>,
): Promise<void> {
  await replace(target, async function* () {
    for (const [name, path] of Object.entries(binaries).sort()) {
      const { size } = await stat(path);
      yield* member({ path: name, size, executable: true }, path);
    }
    yield tarEnd();
  });
}

async function* member(
  entry: { readonly path: string; readonly size: number; readonly executable: boolean },
  source: string,
): AsyncGenerator<Buffer> {
  yield tarHeader(entry);
  yield* createReadStream(source, { highWaterMark: 1 << 20 });
  yield tarPadding(entry.size);
}

async function replace(target: string, bytes: () => AsyncGenerator<Buffer>): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const part = `${target}.part`;
  try {
    await pipeline(Readable.from(bytes()), createWriteStream(part));
    await rename(part, target);
  } finally {
    await rm(part, { force: true });
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
