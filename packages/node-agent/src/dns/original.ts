// In: how the host's resolver was before Weft changed it. Out: the record of that on disk, and back. Written and synced
// before anything is changed, read when it is given back.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Files } from "../host/host.ts";

export const originalPath = "/var/lib/weft/dns/original";

export type OriginalFile =
  | { readonly kind: "missing" }
  | {
      readonly kind: "file";
      readonly bytes: Uint8Array;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** `bytes` is what the link led to, to know the servers; it is not written back. */
  | { readonly kind: "symlink"; readonly target: string; readonly bytes: Uint8Array };

export type Original =
  | { readonly mode: "resolved-link"; readonly zone: string }
  | {
      readonly mode: "file";
      readonly zone: string;
      readonly file: OriginalFile;
      /** Hex SHA-256 of what was put in its place. */
      readonly written: string;
    };

/** What the host's resolv.conf said, one character per byte; undefined in a mode that does not touch it. */
export function originalText(original: Original): string | undefined {
  if (original.mode !== "file") return undefined;
  return original.file.kind === "missing" ? "" : Buffer.from(original.file.bytes).toString("latin1");
}

export async function readOriginal(files: Files): Promise<Original | undefined> {
  const text = await files.readText(originalPath);
  return text === undefined ? undefined : parseOriginal(text);
}

export async function writeOriginal(files: Files, original: Original): Promise<void> {
  await files.write(originalPath, formatOriginal(original), { mode: 0o600 });
}

export function formatOriginal(original: Original): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  const file =
    original.mode !== "file"
      ? undefined
      : original.file.kind === "missing"
        ? original.file
        : { ...original.file, bytes: base64(original.file.bytes) };
  return `${JSON.stringify({ version: 1, ...original, ...(file === undefined ? {} : { file }) }, null, 2)}\n`;
}

export function parseOriginal(text: string): Original {
  const value = parsedJson(text);
  if (!isFields(value) || value["version"] !== 1 || typeof value["zone"] !== "string") throw damaged();
  const zone = value["zone"];
  if (value["mode"] === "resolved-link") return { mode: "resolved-link", zone };
  if (value["mode"] !== "file" || typeof value["written"] !== "string") throw damaged();
  return { mode: "file", zone, file: parseFile(value["file"]), written: value["written"] };
}

function parseFile(value: unknown): OriginalFile {
  if (!isFields(value)) throw damaged();
  if (value["kind"] === "missing") return { kind: "missing" };
  const encoded = value["bytes"];
  if (typeof encoded !== "string") throw damaged();
  const bytes = Buffer.from(encoded, "base64");
  if (value["kind"] === "symlink" && typeof value["target"] === "string")
    return { kind: "symlink", target: value["target"], bytes };
  const [mode, uid, gid] = [value["mode"], value["uid"], value["gid"]];
  if (value["kind"] !== "file" || !isCount(mode) || !isCount(uid) || !isCount(gid)) throw damaged();
  return { kind: "file", bytes, mode, uid, gid };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw damaged(cause);
  }
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function damaged(cause?: unknown): WeftError {
  return new WeftError("WEFT-E003", `${originalPath} is not the record of a takeover`, {
    hint: "remove it: then only Weft's own lines are taken out of /etc/resolv.conf",
    ...(cause === undefined ? {} : { cause }),
  });
}
