// In: the source tree and the supplied components. Out: in dist/, the bundles, the release tarball and the components
// tarball. Does nothing when nothing changed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describeError, WeftError } from "@weft/shared/errors/weft-error";
import { type Catalogue, type Platform, parseCatalogue, platformOf } from "../supply/catalogue.ts";
import { makeSupplyContext } from "../supply/context.ts";
import { sha256OfFile } from "../supply/hash.ts";
import { acquireLock } from "../supply/lock.ts";
import { formatElapsed } from "../supply/progress.ts";
import { supply } from "../supply/supply.ts";
import { writeComponents, writeRelease } from "./archive.ts";
import { bundle } from "./bundle.ts";
import { releaseFiles } from "./release.ts";
import { digestOf } from "./stamp.ts";

const sources = [
  "packages",
  "examples",
  "scripts/build",
  "scripts/supply",
  "install.sh",
  "LICENSE",
  "package.json",
  "package-lock.json",
] as const;

interface Components {
  readonly catalogue: Catalogue;
  /** binary -> path */
  readonly paths: Readonly<Record<string, string>>;
}

function versionOf(root: string): string {
  const parsed: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  if (
    typeof parsed === "object" &&
    parsed !== null &&
    "version" in parsed &&
    typeof parsed.version === "string"
  )
    return parsed.version;
  throw new WeftError("WEFT-E003", "package.json names no version");
}

async function supplyComponents(root: string): Promise<Components> {
  const file = join(root, "scripts/supply/catalogue.json");
  const catalogue = parseCatalogue(readFileSync(file, "utf8"), file);
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const context = makeSupplyContext(file, stop.signal);
  const paths: Record<string, string> = {};
  for (const component of catalogue.components)
    Object.assign(paths, (await supply(context, component)).paths);
  process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  return { catalogue, paths };
}

interface Plan {
  readonly root: string;
  readonly version: string;
  readonly platform: Platform;
  readonly components: Components;
  /** the Node binary that goes into the release */
  readonly runtime: string;
  readonly release: string;
  readonly parts: string;
  say(text: string): void;
}

async function makeRelease(plan: Plan): Promise<void> {
  const { root, version, platform, components, runtime } = plan;
  await bundle(root, version);
  plan.say("bundled");
  const hashes = await Promise.all(
    Object.entries(components.paths).map(async ([name, path]) => [name, [await sha256OfFile(path)]] as const),
  );
  const nodeSha256 = await sha256OfFile(runtime);
  const files = releaseFiles({
    root,
    version,
    platform,
    catalogue: components.catalogue,
    accepted: Object.fromEntries(hashes),
    nodeSha256,
  });
  await writeRelease(plan.release, `weft-${version}`, files, { path: runtime, sha256: nodeSha256 });
  plan.say(`wrote ${plan.release}`);
}

/** Makes a file unless its stamp says that nothing it is made from changed. */
async function unlessCurrent(target: string, stamp: string, make: () => Promise<void>): Promise<boolean> {
  const stampFile = `${target}.stamp`;
  if (existsSync(target) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return false;
  await make();
  writeFileSync(stampFile, stamp);
  return true;
}

async function run(root: string, line: (text: string) => void): Promise<void> {
  const began = performance.now();
  const say = (text: string) => line(`${text} (${formatElapsed(performance.now() - began)})`);
  const version = versionOf(root);
  const platform = platformOf(process.platform, process.arch);
  const components = await supplyComponents(root);
  const dist = join(root, "dist");
  const plan: Plan = {
    root,
    version,
    platform,
    components,
    runtime: join(root, "node_modules", `node-${platform}`, "bin", "node"),
    release: join(dist, `weft-${version}-${platform}.tar.gz`),
    parts: join(dist, `weft-components-${version}-${platform}.tar`),
    say,
  };
  mkdirSync(dist, { recursive: true });
  const lock = await acquireLock(join(dist, ".lock"), new AbortController().signal, () =>
    line("another build is running; waiting for it"),
  );
  try {
    const parts = await identify(Object.values(components.paths));
    const stamp = `${digestOf(root, sources)}\n${parts}\n${await identify([plan.runtime])}\n`;
    const released = await unlessCurrent(plan.release, stamp, () => makeRelease(plan));
    const packed = await unlessCurrent(plan.parts, parts, () =>
      writeComponents(plan.parts, components.paths),
    );
    if (packed) say(`wrote ${plan.parts}`);
    if (!released && !packed) say(`nothing changed: ${plan.release}`);
  } finally {
    await lock.release();
  }
}

/** Size and time of a cached file stand for its content: the cache never changes one in place. */
async function identify(paths: readonly string[]): Promise<string> {
  const lines = await Promise.all(
    paths.map(async (path) => {
      const { size, mtimeMs, ino } = await stat(path);
      return `${path} ${size} ${mtimeMs} ${ino}`;
    }),
  );
  return lines.join("\n");
}

try {
  await run(resolve(import.meta.dirname, "../.."), (text) => process.stderr.write(`build: ${text}\n`));
} catch (error) {
  process.stderr.write(`build: ${describeError(error)}\n`);
  process.exitCode = 1;
}
