// In: a component and a function that fills a folder with its binaries. Out: a cache folder that is either absent or
// whole: filled beside its place, hashed, synced, then renamed.
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { z } from "zod";
import type { Component, Platform } from "./catalogue.ts";
import { explainDiskFull } from "./disk-full.ts";
import { sha256OfFile } from "./hash.ts";
import { acquireLock } from "./lock.ts";

const manifestSchema = z.object({
  format: z.literal(1),
  component: z.string(),
  version: z.string(),
  platform: z.string(),
  source: z.string(),
  recipe: z.string(),
  binaries: z.record(z.string(), z.object({ sha256: z.string(), size: z.number() })),
});

type Manifest = z.infer<typeof manifestSchema>;

export interface Cached {
  readonly folder: string;
  readonly manifest: Manifest;
}

export interface CacheContext {
  readonly root: string;
  readonly platform: Platform;
  readonly signal: AbortSignal;
  line(text: string): void;
}

function cacheKey(component: Component, platform: Platform): string {
  return `${component.name}-${component.version}-${platform}`;
}

/** A cached binary made by other flags, or from another archive, is not the one that is asked for. */
function recipeOf(component: Component, platform: Platform): string {
  const { version, release, module } = component;
  const text = JSON.stringify([version, release[platform]?.sha256, module]);
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** What the cache holds of a component; a damaged entry counts as absent. `deep` compares every hash. */
export async function readCached(
  context: Pick<CacheContext, "root" | "platform">,
  component: Component,
  deep: boolean,
): Promise<Cached | undefined> {
  const folder = join(context.root, cacheKey(component, context.platform));
  const manifest = await readManifest(join(folder, "manifest.json"));
  if (manifest === undefined || manifest.recipe !== recipeOf(component, context.platform)) return undefined;
  for (const { name } of component.binaries) {
    const wanted = manifest.binaries[name];
    const path = join(folder, name);
    if (wanted === undefined || (await sizeOf(path)) !== wanted.size) return undefined;
    if (deep && (await sha256OfFile(path)) !== wanted.sha256) return undefined;
  }
  return { folder, manifest };
}

async function readManifest(path: string): Promise<Manifest | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  try {
    return manifestSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // not JSON: damaged, and so made anew
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * Runs `fill` on a fresh folder under a lock and puts the result in place. If another process did the same work
 * meanwhile, its result is taken. `fill` returns the words that say where the binaries came from.
 */
export async function fillCache(
  context: CacheContext,
  component: Component,
  fill: (staging: string) => Promise<string>,
): Promise<Cached> {
  const key = cacheKey(component, context.platform);
  return explainDiskFull(context.root, async () => {
    await mkdir(context.root, { recursive: true, mode: 0o700 });
    const lock = await acquireLock(join(context.root, `.${key}.lock`), context.signal, () =>
      context.line(`${component.name}: another run is at it; waiting for it`),
    );
    try {
      const theirs = await readCached(context, component, false);
      if (theirs !== undefined) return theirs;
      return await publish(context, component, key, fill);
    } finally {
      await lock.release();
    }
  });
}

async function publish(
  context: CacheContext,
  component: Component,
  key: string,
  fill: (staging: string) => Promise<string>,
): Promise<Cached> {
  const prefix = `.staging-${key}-`;
  // what a killed run left; nobody else can be in it, for the lock is ours
  for (const entry of await readdir(context.root))
    if (entry.startsWith(prefix)) await rm(join(context.root, entry), { recursive: true, force: true });

  const staging = join(context.root, `${prefix}${process.pid}`);
  const folder = join(context.root, key);
  try {
    await mkdir(join(staging, "out"), { recursive: true });
    const source = await fill(join(staging, "out"));
    const manifest = await describe(context, component, join(staging, "out"), source);
    await syncFolder(join(staging, "out"));
    await rm(folder, { recursive: true, force: true });
    await rename(join(staging, "out"), folder);
    await syncPath(context.root);
    return { folder, manifest };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function describe(
  context: CacheContext,
  component: Component,
  folder: string,
  source: string,
): Promise<Manifest> {
  const binaries: Manifest["binaries"] = {};
  for (const { name } of component.binaries) {
    const path = join(folder, name);
    binaries[name] = { sha256: await sha256OfFile(path), size: (await stat(path)).size };
  }
  const manifest: Manifest = {
    format: 1,
    component: component.name,
    version: component.version,
    platform: context.platform,
    source,
    recipe: recipeOf(component, context.platform),
    binaries,
  };
  await writeFile(join(folder, "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return manifest;
}

async function syncFolder(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) await syncPath(join(folder, entry));
  await syncPath(folder);
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
