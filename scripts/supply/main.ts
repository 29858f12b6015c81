// In: `scripts/components` arguments. Out: the third-party programs Weft uses, each at its pinned version, in the
// per-user cache; a list of them, the path of one, or a check of every hash.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isAbort } from "@weft/shared/errors/system";
import { describeError, isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { Command, CommanderError } from "commander";
import { type Catalogue, componentOf, parseCatalogue } from "./catalogue.ts";
import { makeSupplyContext } from "./context.ts";
import { lookUp, type SupplyContext, supply } from "./supply.ts";

interface Options {
  readonly list?: true;
  readonly verify?: true;
  readonly path?: string;
  readonly catalogue: string;
}

async function listAll(context: SupplyContext, catalogue: Catalogue): Promise<void> {
  for (const component of catalogue.components) {
    const here = await lookUp(context, component, false);
    for (const { name } of component.binaries)
      process.stdout.write(
        `${[name, component.version, component.licence, here?.paths[name] ?? "absent", here?.source ?? "-"].join("\t")}\n`,
      );
  }
}

/** Compares every hash in the cache with its manifest. */
async function verifyAll(context: SupplyContext, catalogue: Catalogue): Promise<void> {
  const bad: string[] = [];
  for (const component of catalogue.components) {
    const here = await lookUp(context, component, true);
    process.stdout.write(
      `${component.name} ${component.version}\t${here === undefined ? "absent or damaged" : "ok"}\n`,
    );
    if (here === undefined) bad.push(component.name);
  }
  if (bad.length > 0)
    throw new WeftError("WEFT-E301", `not whole: ${bad.join(", ")}`, { hint: "run scripts/components" });
}

async function run(options: Options, names: readonly string[], signal: AbortSignal): Promise<void> {
  const file = resolve(options.catalogue);
  const catalogue = parseCatalogue(await readFile(file, "utf8"), file);
  const context = makeSupplyContext(file, signal);
  if (options.list) return listAll(context, catalogue);
  if (options.verify) return verifyAll(context, catalogue);
  if (options.path !== undefined) {
    const { paths } = await supply(context, componentOf(catalogue, options.path));
    process.stdout.write(`${paths[options.path] ?? ""}\n`);
    return;
  }
  const wanted =
    names.length === 0 ? catalogue.components : names.map((name) => componentOf(catalogue, name));
  for (const component of new Set(wanted)) {
    const { source, paths } = await supply(context, component);
    for (const path of Object.values(paths)) context.line(`${component.version} ${path}`);
    context.line(`${component.name} is from: ${source}`);
  }
}

const stop = new AbortController();
// `on`, not `once`: signal-exit inside execa ends the process when it finds no listener but its own
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());

const command = new Command("components")
  .description("Fetches or builds the third-party programs Weft uses, at their pinned versions.")
  .argument("[binary...]", "only these (default: all)")
  .option("--list", "name, version, licence, path and source of each; fetches nothing")
  .option("--path <binary>", "supply this one if it is absent, and print its path")
  .option("--verify", "compare every cached file with its recorded hash")
  .option("--catalogue <file>", "another catalogue", join(import.meta.dirname, "catalogue.json"))
  .exitOverride()
  .action((names: string[], options: Options) => run(options, names, stop.signal));

try {
  await command.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (isAbort(error) || stop.signal.aborted) {
    process.stderr.write("components: interrupted; nothing half-made was kept, the next run goes on\n");
    process.exitCode = 130;
  } else {
    process.stderr.write(`components: ${describeError(error)}\n`);
    process.exitCode = isWeftError(error) && error.code === "WEFT-E001" ? 2 : 1;
  }
}
