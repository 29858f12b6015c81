// In: the recipe. Out: the path of the common Debian root, built once per recipe and cached for this user.
// It is built beside its place and renamed, so an interrupted build leaves no half root behind.
import { access, mkdir, readdir, rename, rm } from "node:fs/promises";
import { arch, homedir } from "node:os";
import { join } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import { narrate, type ProgressSink } from "../supply/progress.ts";
import { Cgroup, enteringCgroup, readCgroupMounts } from "./cgroups.ts";
import { installHostPrograms } from "./host-programs.ts";
import { withLock } from "./lock.ts";
import { unmountBelow } from "./mounts.ts";
import { writeRootFiles } from "./root-files.ts";
import { excludedPaths, packagesOf, type RootKind, recipeDigest, rootFiles, suite } from "./root-recipe.ts";
import { run } from "./run.ts";

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

export async function cachedRoot(kind: RootKind, progress: ProgressSink): Promise<string> {
  const cache = join(homedir(), ".cache/weft/lab");
  const digest = recipeDigest(arch(), kind);
  const root = join(cache, `root-${digest}`);
  if (await exists(root)) return root;
  await installHostPrograms(["mmdebstrap", "debian keyring"], progress);
  await mkdir(cache, { recursive: true });
  await withLock(
    `weft-lab-root-${digest}`,
    () => progress.line("lab: another process is building the Debian root: waiting for it"),
    async () => {
      if (await exists(root)) return;
      await narrate(progress, "lab: building the Debian root (once, one to two minutes)", (note) =>
        build(kind, { cache, root, digest }, note),
      );
    },
  );
  return root;
}

interface RootPlace {
  readonly cache: string;
  readonly root: string;
  readonly digest: string;
}

async function build(
  kind: RootKind,
  { cache, root, digest }: RootPlace,
  note: (text: string) => void,
): Promise<void> {
  const group = new Cgroup(await readCgroupMounts(), `weft-lab-root-${digest}`);
  // a build whose parent was killed may still be writing
  await group.kill();
  for (const leftover of (await readdir(cache)).filter((name) => name.startsWith(`.building-${digest}`)))
    await removeRoot(join(cache, leftover));
  const building = join(cache, `.building-${digest}-${process.pid}`);
  await group.make();
  try {
    await bootstrap(kind, building, group, note);
    await writeRootFiles(building, rootFiles(kind));
    note("writing it to disk");
    await run(["sync", "--file-system", building], { timeoutMs: 300_000 });
    await rename(building, root);
  } finally {
    await group.kill();
    await group.remove();
    await removeRoot(building);
  }
}

async function removeRoot(path: string): Promise<void> {
  await unmountBelow(path);
  await rm(path, { recursive: true, force: true });
}

/** The Debian archive to use instead of the tool's own default, for machines that only reach a mirror. */
const mirrorVariable = "WEFT_LAB_MIRROR";

async function bootstrap(
  kind: RootKind,
  target: string,
  group: Cgroup,
  note: (text: string) => void,
): Promise<void> {
  const mirror = process.env[mirrorVariable];
  const argv = [
    "mmdebstrap",
    "--mode=root",
    "--variant=minbase",
    `--include=${packagesOf(kind).join(",")}`,
    ...excludedPaths.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...(await proxyOptions()),
    suite,
    target,
    ...(mirror === undefined ? [] : [mirror]),
  ];
  const [file, ...args] = enteringCgroup([join(group.unified, "cgroup.procs")], argv);
  const child = execa(file, args, { reject: false, stdin: "ignore", stdout: "ignore", env: { LC_ALL: "C" } });
  for await (const line of child.iterable({ from: "stderr" })) note(String(line).replace(/^I: /, ""));
  const result = await child;
  if (result.failed)
    throw new WeftError("WEFT-E600", "the Debian root could not be built", {
      why: bootstrapFailure(result.stderr),
      hint: `check that this machine reaches a Debian archive, or name one in ${mirrorVariable}, and run the command again`,
    });
}

/** Pure: the error lines of what mmdebstrap and apt said, the first ones being the cause. */
export function bootstrapFailure(said: string): string {
  const errors = said.split("\n").filter((line) => /^(E|Err|dpkg: error)[: ]/.test(line));
  return errors.slice(0, 3).join(" | ") || "it gave no reason";
}

/** This machine's own apt proxy holds for the new root's packages too. */
async function proxyOptions(): Promise<string[]> {
  const dump = await run(["apt-config", "dump", "--format", "%f=%v%n", "Acquire::http::Proxy"]);
  const value = dump.trim().split("=").slice(1).join("=");
  return value === "" ? [] : [`--aptopt=Acquire::http::Proxy "${value}"`];
}
