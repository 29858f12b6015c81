// In: the text of the release's own catalogue (/opt/weft/catalogue.json). Out: which components this node may run, with
// the hashes it takes them for, whoever serves the bytes.
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { places } from "../state/places.ts";

export interface CatalogueComponent {
  /** Of the binary: also its file name and what the coordinator is asked for. */
  readonly name: string;
  readonly version: string;
  readonly sha256: readonly string[];
}

export interface NodeCatalogue {
  /** "x64" or "arm64" */
  readonly architecture: string;
  readonly components: readonly CatalogueComponent[];
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const binaryName = /^[a-z][a-z0-9-]{0,40}$/;
const hash = /^[0-9a-f]{64}$/;

function componentsOf(entry: unknown): CatalogueComponent[] {
  const component = fieldsOf(entry);
  const version = component.get("version");
  return listOf(component.get("binaries")).flatMap((item): CatalogueComponent[] => {
    const binary = fieldsOf(item);
    const name = binary.get("name");
    if (typeof version !== "string" || typeof name !== "string" || !binaryName.test(name)) return [];
    if (binary.get("runsOn") !== "node") return [];
    const sha256 = listOf(binary.get("sha256")).filter((text) => typeof text === "string" && hash.test(text));
    return [{ name, version, sha256: sha256.map(String) }];
  });
}

export function parseNodeCatalogue(text: string): NodeCatalogue {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw new WeftError("WEFT-E003", `${places.catalogue} is damaged`, { why: messageOf(cause), cause });
  }
  const fields = fieldsOf(data);
  const platform = fields.get("platform");
  if (fields.get("format") !== 1 || typeof platform !== "string")
    throw new WeftError("WEFT-E003", `${places.catalogue} is no catalogue of this release`);
  return {
    architecture: platform.replace(/^linux-/, ""),
    components: listOf(fields.get("components")).flatMap(componentsOf),
  };
}
