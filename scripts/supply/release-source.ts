// In: a pinned release archive and a folder. Out: its binaries in that folder, once the archive's hash is the pinned
// one; anything else leaves no file.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { errnoOf } from "@weft/shared/errors/system";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import type { ReleaseArchive } from "./catalogue.ts";
import { diskFullIn } from "./disk-full.ts";

export interface DownloadContext {
  readonly signal: AbortSignal;
  /** until the first answer; a machine without a route must fall through quickly */
  readonly connectTimeoutMs: number;
  /** longest silence once bytes flow */
  readonly stallTimeoutMs: number;
}

/** Fails with WEFT-E300 when the archive cannot be had, WEFT-E301 when it is another one than pinned. */
export async function takeRelease(
  context: DownloadContext,
  archive: ReleaseArchive,
  folder: string,
  note: (text: string) => void,
): Promise<string> {
  const work = join(dirname(folder), "release");
  await mkdir(work, { recursive: true });
  try {
    const file = join(work, "archive");
    const digest = await download(context, archive.url, file, note);
    if (digest !== archive.sha256)
      throw new WeftError("WEFT-E301", `the archive ${archive.url} has the wrong hash`, {
        why: `its SHA-256 is ${digest}, the catalogue pins ${archive.sha256}`,
        hint: "nothing of it was used; if the archive was re-published, compare the hashes and change the catalogue",
      });
    await unpack(context.signal, file, archive, work, folder);
    return `release ${archive.url} sha256:${digest}`;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function download(
  context: DownloadContext,
  url: string,
  file: string,
  note: (text: string) => void,
): Promise<string> {
  const stalled = new AbortController();
  const signal = AbortSignal.any([context.signal, stalled.signal]);
  const stall = (ms: number) => setTimeout(() => stalled.abort(), ms);
  let timer = stall(context.connectTimeoutMs);
  const hash = createHash("sha256");
  let received = 0;
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      clearTimeout(timer);
      timer = stall(context.stallTimeoutMs);
      hash.update(chunk);
      received += chunk.length;
      note(`${(received / 1e6).toFixed(0)} MB`);
      done(null, chunk);
    },
  });
  try {
    const body = await openUrl(url, signal);
    await pipeline(body, tap, createWriteStream(file), { signal });
  } catch (error) {
    context.signal.throwIfAborted();
    if (errnoOf(error) === "ENOSPC") throw error;
    throw new WeftError("WEFT-E300", `${url} cannot be fetched`, {
      why: stalled.signal.aborted ? "no answer in time" : reasonOf(error),
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
  return hash.digest("hex");
}

async function openUrl(url: string, signal: AbortSignal): Promise<Readable> {
  if (url.startsWith("file:")) return createReadStream(fileURLToPath(url));
  const response = await fetch(url, { signal, redirect: "follow" });
  if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
  return Readable.fromWeb(response.body);
}

/** fetch hides the reason one level down. */
function reasonOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "cause" in error && error.cause !== undefined)
    return messageOf(error.cause);
  return messageOf(error);
}

async function unpack(
  signal: AbortSignal,
  file: string,
  archive: ReleaseArchive,
  work: string,
  folder: string,
): Promise<void> {
  const members = Object.entries(archive.members);
  const { exitCode, stderr } = await execa(
    "tar",
    ["-xzf", file, "-C", work, "--no-same-owner", "--", ...members.map(([, member]) => member)],
    { reject: false, cancelSignal: signal, stdin: "ignore" },
  );
  signal.throwIfAborted();
  if (exitCode !== 0) {
    const full = diskFullIn(stderr);
    if (full !== undefined) throw full;
    throw new WeftError("WEFT-E300", `${archive.url} cannot be unpacked`, {
      why: stderr.trim().slice(0, 300),
    });
  }
  for (const [name, member] of members) await rename(join(work, member), join(folder, name));
}
