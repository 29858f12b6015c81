// In: the source tree and the supplied components. Out: in dist/, the bundles, the release tarball and the components
// tarball. Does nothing when nothing changed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describeError, WeftError } from "@weft/shared/errors/weft-error";
import { type Catalogue, parseCatalogue, platformOf } from "../supply/catalogue.ts";
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

async function run(root: string, line: (text: string) => void): Promise<void> {
  const began = performance.now();
  const version = versionOf(root);
  const platform = platformOf(process.platform, process.arch);
  const dist = join(root, "dist");
  const release = join(dist, `weft-${version}-${platform}.tar.gz`);
  const parts = join(dist, `weft-components-${version}-${platform}.tar`);
  const { catalogue, paths } = await supplyComponents(root);
  mkdirSync(dist, { recursive: true });
  const lock = await acquireLock(join(dist, ".lock"), new AbortController().signal, () =>
    line("another build is running; waiting for it"),
  );
  try {
    // size and time of a cached component stand for its content: the cache never changes a file in place
    const runtime = join(root, "node_modules", `node-${platform}`, "bin", "node");
    const stamp = `${digestOf(root, sources)}\n${await identify([...Object.values(paths), runtime])}\n`;
    const stampFile = join(dist, ".stamp");
    if ([release, parts, stampFile].every(existsSync) && readFileSync(stampFile, "utf8") === stamp) {
      line(`nothing changed (${formatElapsed(performance.now() - began)}): ${release}`);
      return;
    }

    await bundle(root, version);
    line(`bundled (${formatElapsed(performance.now() - began)})`);
    const hashes = await Promise.all(
      Object.entries(paths).map(async ([name, path]) => [name, [await sha256OfFile(path)]] as const),
    );
    const accepted = Object.fromEntries(hashes);
    const nodeSha256 = await sha256OfFile(runtime);
    const files = releaseFiles({ root, version, platform, catalogue, accepted, nodeSha256 });
    await writeRelease(release, `weft-${version}`, files, { path: runtime, sha256: nodeSha256 });
    line(`wrote ${release} (${formatElapsed(performance.now() - began)})`);
    await writeComponents(parts, paths);
    writeFileSync(stampFile, stamp);
    line(`wrote ${parts} (${formatElapsed(performance.now() - began)})`);
  } finally {
    await lock.release();
  }
}

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
