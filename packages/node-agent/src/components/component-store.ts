// In: a component's name. Out: its file under /opt/weft/components, with a hash this node's own release accepts: the one
// that is there, or one fetched through the coordinator, hashed while it is written and renamed only when it is right.
import { createHash } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { ComponentFact } from "@weft/shared/model/facts";
import type { Files } from "../host/host.ts";
import { places } from "../state/places.ts";
import { type CatalogueComponent, type NodeCatalogue, parseNodeCatalogue } from "./catalogue.ts";

export interface ComponentWish {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly sha256: string;
}

/** The coordinator's bytes; undefined while it is away. */
export type ComponentSource = (
  wish: ComponentWish,
  signal: AbortSignal,
) => AsyncIterable<Uint8Array> | undefined;

export function componentPath(name: string): string {
  return `${places.components}/${name}`;
}

export class ComponentStore {
  readonly #files: Files;
  readonly #source: ComponentSource;
  /** Hashed once in this process; the directory is root's. */
  readonly #good = new Set<string>();

  constructor(files: Files, source: ComponentSource) {
    this.#files = files;
    this.#source = source;
  }

  async #catalogue(): Promise<NodeCatalogue> {
    const text = await this.#files.readText(places.catalogue);
    if (text !== undefined) return parseNodeCatalogue(text);
    throw new WeftError("WEFT-E300", `there is no ${places.catalogue}`, {
      hint: "install this machine with install.sh agent",
    });
  }

  async #entry(
    name: string,
  ): Promise<{ readonly catalogue: NodeCatalogue; readonly entry: CatalogueComponent }> {
    const catalogue = await this.#catalogue();
    const entry = catalogue.components.find((component) => component.name === name);
    if (entry === undefined || entry.sha256.length === 0)
      throw new WeftError("WEFT-E300", `this release knows no ${name} for this machine`, {
        why: "Without a hash in the release's own catalogue nothing is installed.",
      });
    return { catalogue, entry };
  }

  async isGood(name: string): Promise<boolean> {
    const path = componentPath(name);
    if ((await this.#files.info(path))?.kind !== "file") {
      this.#good.delete(name);
      return false;
    }
    if (this.#good.has(name)) return true;
    const { entry } = await this.#entry(name);
    const found = await this.#files.sha256(path);
    if (found === undefined || !entry.sha256.includes(found)) return false;
    this.#good.add(name);
    return true;
  }

  async fetch(name: string, signal: AbortSignal): Promise<void> {
    const { catalogue, entry } = await this.#entry(name);
    const { architecture } = catalogue;
    const [sha256 = ""] = entry.sha256;
    const bytes = this.#source({ name, version: entry.version, architecture, sha256 }, signal);
    if (bytes === undefined)
      throw new WeftError("WEFT-E300", `${name} ${entry.version} is not here yet`, {
        why: "The coordinator, which passes it on, cannot be reached.",
      });
    await this.#files.write(componentPath(name), checked(bytes, entry), { mode: 0o755 });
    this.#good.add(name);
  }

  async facts(): Promise<ComponentFact[]> {
    const { components } = await this.#catalogue();
    const facts: ComponentFact[] = [];
    for (const { name, version } of components)
      if (await this.isGood(name)) facts.push({ name, version, source: componentPath(name) });
    return facts;
  }
}

/** The same bytes; throws at their end unless their hash is an accepted one, so that the file never gets its name. */
async function* checked(
  bytes: AsyncIterable<Uint8Array>,
  entry: CatalogueComponent,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const part of bytes) {
    hash.update(part);
    yield part;
  }
  const found = hash.digest("hex");
  if (!entry.sha256.includes(found))
    throw new WeftError("WEFT-E301", `${entry.name} ${entry.version} has the wrong hash`, {
      why: `its SHA-256 is ${found}, this release accepts ${entry.sha256.join(", ")}`,
      hint: "give the coordinator the components archive of this release: install.sh coordinator --components FILE",
    });
}
