// In: a lab's name and size. Out: the lab is up, or gone. Both can be repeated, and both begin by sweeping away
// what a killed run left behind.
import { type ChildProcess, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { ProgressSink } from "../supply/progress.ts";
import { askIfAlive } from "./control-client.ts";
import { installHostPrograms } from "./host-programs.ts";
import { claimDirectory, releaseDirectory } from "./labs-directory.ts";
import { withLock } from "./lock.ts";
import type { LabNames } from "./names.ts";
import type { MachineStatus } from "./protocol.ts";
import { cachedRoot } from "./root-cache.ts";
import type { RootKind } from "./root-recipe.ts";
import { requireRoot } from "./root-user.ts";
import { sweepLab } from "./sweep.ts";
import { labMachines } from "./topology.ts";
import { waitFor } from "./wait.ts";

function locked<T>(lab: LabNames, progress: ProgressSink, work: () => Promise<T>): Promise<T> {
  requireRoot();
  const onWait = () => progress.line(`lab ${lab.name}: another command is at work on it: waiting`);
  return withLock(lab.lock, onWait, work);
}

export async function labUp(
  lab: LabNames,
  nodes: number,
  progress: ProgressSink,
  kind: RootKind = "plain",
): Promise<MachineStatus[]> {
  // refused before anything is begun
  labMachines(nodes);
  return locked(lab, progress, async () => {
    const began = progress.now();
    const seconds = () => `${((progress.now() - began) / 1000).toFixed(1)} s`;
    const onProgress = (text: string) => progress.line(`lab ${lab.name}: ${text} (${seconds()})`);
    const running = await askIfAlive(lab, { op: "up", nodes }, onProgress);
    if (running !== undefined) return running;
    await installHostPrograms(["ip", "nsenter", "systemd-nspawn", "dnsmasq"], progress);
    const root = await cachedRoot(kind, progress);
    await sweepLab(lab);
    await claimDirectory(lab);
    await startSupervisor(lab, root);
    const machines = await askIfAlive(lab, { op: "up", nodes }, onProgress);
    if (machines === undefined) throw supervisorFailed(lab);
    return machines;
  });
}

function supervisorFailed(lab: LabNames): WeftError {
  return new WeftError("WEFT-E600", `the supervisor of lab ${lab.name} did not start`, {
    hint: `see ${lab.supervisorLog}`,
  });
}

async function startSupervisor(lab: LabNames, root: string): Promise<void> {
  const log = await open(lab.supervisorLog, "a", 0o600);
  let child: ChildProcess;
  try {
    const main = fileURLToPath(new URL("./main.ts", import.meta.url));
    const flags = ["--disable-warning=ExperimentalWarning", main];
    child = spawn(process.execPath, [...flags, "supervise", "--name", lab.name, "--root", root], {
      detached: true,
      cwd: "/",
      stdio: ["ignore", log.fd, log.fd],
      env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] },
    });
  } finally {
    await log.close();
  }
  child.unref();
  await waitFor({ what: `the start of the supervisor of lab ${lab.name}`, deadlineMs: 30_000 }, async () => {
    if (child.exitCode !== null || child.signalCode !== null) throw supervisorFailed(lab);
    return askIfAlive(lab, { op: "status" });
  });
}

export function labDown(lab: LabNames, progress: ProgressSink): Promise<void> {
  return locked(lab, progress, async () => {
    // the supervisor reaps its machines itself: where PID 1 does not reap, killing it first leaves zombies
    try {
      await askIfAlive(lab, { op: "end" });
    } catch (error) {
      progress.line(`lab ${lab.name}: the supervisor could not end it (${messageOf(error)}): sweeping`);
    }
    await sweepLab(lab);
    await releaseDirectory();
  });
}
