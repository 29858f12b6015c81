// In: a file path. Out: an exclusive lock on it, held until released or until this process is gone, however it
// went: the kernel drops a flock with its holder, so no stale lock can stay behind.
import { type ChildProcess, spawn } from "node:child_process";
import { WeftError } from "@weft/shared/errors/weft-error";

export interface Lock {
  release(): Promise<void>;
}

/** @param onWait called once when somebody else holds the lock */
export async function acquireLock(path: string, signal: AbortSignal, onWait: () => void): Promise<Lock> {
  const immediate = await holdLock(path, ["--nonblock"], signal);
  if (immediate !== undefined) return immediate;
  onWait();
  const waited = await holdLock(path, [], signal);
  if (waited === undefined) throw new WeftError("WEFT-E002", `${path} cannot be locked`);
  return waited;
}

/** The holder is a child that lives as long as its standard input: a killed parent closes it. */
function holdLock(path: string, flags: readonly string[], signal: AbortSignal): Promise<Lock | undefined> {
  signal.throwIfAborted();
  const child = spawn(
    "flock",
    [...flags, "--conflict-exit-code", "75", path, "sh", "-c", "echo held; read -r _"],
    {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true, // a Ctrl-C in the terminal must reach our clean-up before it reaches the lock
    },
  );
  const onAbort = () => {
    child.stdin.end();
    child.kill();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return new Promise((resolve, reject) => {
    child.stdout.once("data", () => {
      signal.removeEventListener("abort", onAbort);
      if (signal.aborted) reject(signal.reason);
      else resolve({ release: () => closeHolder(child) });
    });
    child.once("error", (cause) =>
      reject(new WeftError("WEFT-E007", "flock cannot be run", { cause, hint: "install util-linux" })),
    );
    child.once("exit", (code) => {
      signal.removeEventListener("abort", onAbort);
      if (signal.aborted) reject(signal.reason);
      else if (code === 75) resolve(undefined);
      else
        reject(new WeftError("WEFT-E002", `${path} cannot be locked`, { why: `flock ended with ${code}` }));
    });
  });
}

function closeHolder(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve();
    else child.once("exit", () => resolve());
    child.stdin?.end();
  });
}
