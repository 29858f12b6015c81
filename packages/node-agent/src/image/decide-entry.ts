// In: an entry of an image's layer. Out: what becomes of it. Pure. Wanted are a few programs and one folder; everything else is
// looked at only because it can cover or take away what a layer below has of these.
import { WeftError } from "@weft/shared/errors/weft-error";

/** As tar calls it: "file", "directory", "symlink", "link", ... */
export type EntryType = string;

export type EntryFate =
  | { readonly fate: "skip" }
  /** Takes the place of all that was at or below that path. */
  | { readonly fate: "cover"; readonly path: string }
  | { readonly fate: "file"; readonly path: string; readonly target: string; readonly mode: number }
  /** A folder: below it stays what it is. */
  | { readonly fate: "folder"; readonly path: string }
  /** What layers below have at that path and below it is gone. */
  | { readonly fate: "whiteout"; readonly path: string }
  /** What layers below have in that folder is gone. */
  | { readonly fate: "opaque"; readonly path: string };

export interface WantedProgram {
  /** In the image. */
  readonly path: string;
  /** In the folder of programs. */
  readonly target: string;
  readonly isOptional: boolean;
}

export const wantedPrograms: readonly WantedProgram[] = [
  { path: "usr/bin/cilium-agent", target: "cilium-agent", isOptional: false },
  { path: "usr/bin/cilium-dbg", target: "cilium-dbg", isOptional: false },
  { path: "usr/bin/cilium-health-responder", target: "cilium-health-responder", isOptional: false },
  // linked so that it needs no library, in the images that are known
  { path: "usr/local/bin/clang", target: "bin/clang", isOptional: true },
];
export const wantedFolder = { path: "var/lib/cilium/bpf", target: "bpf" } as const;

const whiteoutPrefix = ".wh.";
const opaqueMark = ".wh..wh..opq";

export function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Where something of the image would lie in the folder of programs. */
export function targetOf(path: string): string | undefined {
  if (isAtOrBelow(path, wantedFolder.path))
    return `${wantedFolder.target}${path.slice(wantedFolder.path.length)}`;
  return wantedPrograms.find((program) => program.path === path)?.target;
}

/** Throws WEFT-E003 over an entry that no honest image has. */
export function decideEntry(name: string, type: EntryType): EntryFate {
  const path = plainPath(name);
  if (path === "") return { fate: "skip" };
  const slash = path.lastIndexOf("/");
  const [folder, base] = [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)];
  if (base === opaqueMark) return { fate: "opaque", path: folder };
  if (base.startsWith(whiteoutPrefix)) {
    const gone = base.slice(whiteoutPrefix.length);
    return { fate: "whiteout", path: folder === "" ? gone : `${folder}/${gone}` };
  }
  if (type === "directory") return { fate: "folder", path };
  const target = targetOf(path);
  if (target === undefined) return { fate: "cover", path };
  if (type === "file" || type === "contiguous-file")
    return { fate: "file", path, target, mode: isAtOrBelow(path, wantedFolder.path) ? 0o644 : 0o755 };
  if (wantedPrograms.some((program) => program.path === path && program.isOptional))
    return { fate: "cover", path };
  throw new WeftError("WEFT-E003", `${path} is no plain file in the image`, {
    why: `It is there as a ${type}, which could lead elsewhere.`,
  });
}

function plainPath(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.startsWith("/") || name.includes("\0") || parts.includes(".."))
    throw new WeftError("WEFT-E003", `the image has a file ${JSON.stringify(name)}`, {
      why: "It would lie outside of the image.",
    });
  return parts.join("/");
}
