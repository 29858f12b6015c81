// In: this machine. Out: a Machine: files written by temp, fsync and rename; programs run by execa without a shell.
import { chmod, chown, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { errnoOf, isNotFound } from "@weft/shared/errors/system";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { Machine, Owner, RunResult } from "./machine.ts";

const usualTimeoutMs = 30_000;

async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function unwritable(path: string, cause: unknown): WeftError {
  return new WeftError("WEFT-E002", `${path} cannot be written`, {
    why: errnoOf(cause) ?? messageOf(cause),
    hint: "free space or make the file system writable; nothing was half-written",
    cause,
  });
}

/** The file has its mode and owner from the first byte on: a secret is never readable for a moment. */
export async function writeFileDurably(
  path: string,
  text: string,
  mode: number,
  owner?: Owner,
): Promise<void> {
  const draft = `${path}.new`;
  try {
    // Left by a run that was killed. "wx" then makes sure that the file is ours, and no link somebody put there.
    await rm(draft, { force: true });
    const file = await open(draft, "wx", mode);
    try {
      await file.chmod(mode);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(draft, { force: true });
    throw unwritable(path, cause);
  }
}

async function run(
  file: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number } = {},
): Promise<RunResult> {
  // loaded by the one command that runs programs
  const { execa } = await import("execa");
  const result = await execa(file, args, {
    reject: false,
    timeout: options.timeoutMs ?? usualTimeoutMs,
    ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
  });
  if (result.timedOut)
    throw new WeftError("WEFT-E005", `${file} ${args[0] ?? ""} did not end in time`, {
      why: result.stderr.trim(),
    });
  // Not started at all: there is no exit code.
  if (result.exitCode === undefined)
    throw new WeftError("WEFT-E004", `${file} could not be run`, { why: result.shortMessage ?? "unknown" });
  return { code: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}

function portTaken(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (failure) => {
      if (errnoOf(failure) === "EADDRINUSE") resolve(true);
      else reject(failure);
    });
    probe.listen(port, () => probe.close(() => resolve(false)));
  });
}

async function userOf(name: string): Promise<Owner | undefined> {
  const { code, stdout } = await run("getent", ["passwd", name]);
  const [, , uid, gid] = stdout.split(":");
  return code === 0 ? { uid: Number(uid), gid: Number(gid) } : undefined;
}

export function linuxMachine(): Machine {
  return {
    uid: () => process.getuid?.() ?? -1,
    async readText(path) {
      try {
        return await readFile(path, "utf8");
      } catch (failure) {
        if (isNotFound(failure)) return undefined;
        throw new WeftError("WEFT-E002", `${path} cannot be read`, {
          why: messageOf(failure),
          cause: failure,
        });
      }
    },
    async exists(path) {
      try {
        await stat(path);
        return true;
      } catch (failure) {
        if (isNotFound(failure)) return false;
        throw failure;
      }
    },
    writeFile: writeFileDurably,
    remove: (path) => rm(path, { force: true }),
    async makeDirectory(path, mode, owner) {
      try {
        await mkdir(path, { recursive: true, mode });
        await chmod(path, mode);
        if (owner !== undefined) await chown(path, owner.uid, owner.gid);
      } catch (cause) {
        throw unwritable(path, cause);
      }
    },
    run,
    user: userOf,
    addresses: () =>
      Object.values(networkInterfaces()).flatMap((cards) => (cards ?? []).map(({ address }) => address)),
    portTaken,
  };
}
