// In: the host's /etc/resolv.conf. Out: ours in its place with the old one recorded, and the old one back. Only a file
// that Weft wrote itself is ever replaced on the way back.
import { createHash } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import {
  isOurResolvConf,
  parseResolvConf,
  renderResolvConf,
  withoutOurLines,
} from "@weft/shared/render/resolv-conf";
import type { Files } from "../host/host.ts";
import { resolvConfPath } from "./evidence.ts";
import { type Original, type OriginalFile, originalPath, readOriginal, writeOriginal } from "./original.ts";

type FileOriginal = Extract<Original, { mode: "file" }>;

export type ResolvConfState =
  /** Byte for byte what we put there. */
  | { readonly kind: "ours" }
  /** As it was before us: never taken, or a crash came between record and change. */
  | { readonly kind: "original" }
  /** Our marker is on line 1, but somebody edited the rest, or the record is lost. */
  | { readonly kind: "edited" }
  | { readonly kind: "foreign"; readonly what: string };

const mode = 0o644;
const temporaryLink = `${resolvConfPath}.weft-link`;

export async function resolvConfState(
  files: Files,
  original: Original | undefined,
): Promise<ResolvConfState> {
  const current = await currentFile(files);
  const ours = current.kind === "file" && isOurResolvConf(textOf(current.bytes));
  if (ours)
    return original?.mode === "file" && sha256(current.bytes) === original.written
      ? { kind: "ours" }
      : { kind: "edited" };
  if (original?.mode !== "file" || sameFile(current, original.file)) return { kind: "original" };
  const what = current.kind === "symlink" ? `a link to ${current.target}` : current.kind;
  const firstLine = current.kind === "missing" ? "" : (textOf(current.bytes).split("\n")[0] ?? "");
  return {
    kind: "foreign",
    what: `${resolvConfPath} is now ${what}, line 1: ${JSON.stringify(firstLine.slice(0, 80))}`,
  };
}

/** Record first, synced; then ours by one rename. Refused when somebody else has changed the file since. */
export async function takeResolvConf(files: Files, zone: string): Promise<void> {
  const known = await readOriginal(files);
  const state = await resolvConfState(files, known);
  if (state.kind === "ours" && known !== undefined) {
    if (known.zone !== zone) await writeOriginal(files, { ...known, zone });
    return;
  }
  if (state.kind === "foreign")
    throw new WeftError("WEFT-E401", `${resolvConfPath} was changed by somebody else`, {
      why: state.what,
      hint: "set `dns: { mode: off }` for this node, apply, and set it back: then the new file counts as the original",
    });
  // never our own bytes as the original: of an edited file of ours, what is not ours is
  const file = state.kind === "edited" ? await stripped(files, known) : await currentFile(files);
  const bytes = Buffer.from(
    renderResolvConf(parseResolvConf(file.kind === "missing" ? "" : textOf(file.bytes))),
    "latin1",
  );
  await writeOriginal(files, { mode: "file", zone, file, written: sha256(bytes) });
  try {
    await files.write(resolvConfPath, bytes, { mode, uid: 0, gid: 0 });
  } catch (failure) {
    if (known === undefined) await files.remove(originalPath);
    else await writeOriginal(files, known);
    throw failure;
  }
}

export type Returned = { readonly kind: "given" } | { readonly kind: "left"; readonly why: string };

/** Exactly as it was, or untouched when it is not ours any more. The record goes last: a crash in between is tried again. */
export async function giveResolvConf(files: Files, original: FileOriginal | undefined): Promise<Returned> {
  const state = await resolvConfState(files, original);
  let returned: Returned = { kind: "given" };
  if (state.kind === "ours" && original !== undefined) await putBack(files, original.file);
  else if (state.kind === "edited") {
    const file = await stripped(files, original);
    if (file.kind === "file") await putBack(files, file);
    returned = { kind: "left", why: `${resolvConfPath} was edited: only Weft's own lines were taken out` };
  } else if (state.kind === "foreign") returned = { kind: "left", why: `${state.what}: left as it is` };
  await files.remove(originalPath);
  return returned;
}

async function putBack(files: Files, file: OriginalFile): Promise<void> {
  if (file.kind === "missing") await files.remove(resolvConfPath);
  else if (file.kind === "file")
    await files.write(resolvConfPath, file.bytes, { mode: file.mode, uid: file.uid, gid: file.gid });
  else {
    await files.remove(temporaryLink);
    await files.symlink(file.target, temporaryLink);
    await files.rename(temporaryLink, resolvConfPath);
  }
}

/** A file of ours without our lines; it keeps the mode and owner that the original had, if that is known. */
async function stripped(files: Files, original: Original | undefined): Promise<OriginalFile> {
  const current = await currentFile(files);
  if (current.kind !== "file") return current;
  const bytes = Buffer.from(withoutOurLines(textOf(current.bytes)), "latin1");
  const old = original?.mode === "file" && original.file.kind === "file" ? original.file : current;
  return { ...current, bytes, mode: old.mode, uid: old.uid, gid: old.gid };
}

async function currentFile(files: Files): Promise<OriginalFile> {
  const info = await files.info(resolvConfPath);
  if (info === undefined) return { kind: "missing" };
  const bytes = (await files.read(resolvConfPath)) ?? new Uint8Array();
  if (info.kind === "symlink" && info.target !== undefined)
    return { kind: "symlink", target: info.target, bytes };
  return { kind: "file", bytes, mode: info.mode, uid: info.uid, gid: info.gid };
}

function sameFile(a: OriginalFile, b: OriginalFile): boolean {
  if (a.kind === "symlink" && b.kind === "symlink") return a.target === b.target;
  if (a.kind !== "file" || b.kind !== "file") return a.kind === b.kind;
  return Buffer.compare(a.bytes, b.bytes) === 0;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
