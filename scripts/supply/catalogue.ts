// In: the text of a catalogue file. Out: the components Weft supplies, typed: versions, binaries, pinned
// release archives and pinned Go modules.
import { WeftError } from "@weft/shared/errors/weft-error";
import { z } from "zod";

const name = z.string().regex(/^[a-z][a-z0-9-]{0,40}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const platform = z.enum(["linux-x64", "linux-arm64"]);

const binarySchema = z.strictObject({
  name,
  unit: z.string(),
  runsOn: z.enum(["coordinator", "node"]),
});

const archiveSchema = z.strictObject({
  url: z.url(),
  sha256,
  /** false: the hash was found in other public projects and not yet compared with the maker's own checksum file. */
  hashCompared: z.boolean(),
  members: z.record(name, z.string().regex(/^[A-Za-z0-9._/-]+$/)),
});

const moduleSchema = z.strictObject({
  /** Folder with go.mod and go.sum, beside the catalogue; go.sum pins the source. */
  folder: z.string(),
  go: z.string().regex(/^\d+\.\d+\.\d+$/),
  cgo: z.boolean(),
  tags: z.array(z.string()),
  ldflags: z.string(),
  packages: z.record(name, z.string()),
});

const componentSchema = z.strictObject({
  name,
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  licence: z.string(),
  skew: z.string(),
  binaries: z.array(binarySchema).min(1),
  release: z.partialRecord(platform, archiveSchema),
  module: moduleSchema.optional(),
});

const catalogueSchema = z.strictObject({ format: z.literal(1), components: z.array(componentSchema).min(1) });

export type Catalogue = z.infer<typeof catalogueSchema>;
export type Component = z.infer<typeof componentSchema>;
export type Platform = z.infer<typeof platform>;
export type ReleaseArchive = z.infer<typeof archiveSchema>;
export type GoModule = z.infer<typeof moduleSchema>;

/** @param origin where the text came from, for the error */
export function parseCatalogue(text: string, origin: string): Catalogue {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw new WeftError("WEFT-E003", `${origin} is not JSON`, { cause });
  }
  const parsed = catalogueSchema.safeParse(data);
  if (!parsed.success)
    throw new WeftError("WEFT-E003", `${origin} is not a component catalogue`, {
      why: z.prettifyError(parsed.error),
    });
  for (const component of parsed.data.components) requireEveryBinary(component, origin);
  return parsed.data;
}

/** A source that yields only some of the binaries would leave a component half-installed. */
function requireEveryBinary(component: Component, origin: string): void {
  const sources = [
    ...Object.values(component.release).map((archive) => archive.members),
    ...(component.module === undefined ? [] : [component.module.packages]),
  ];
  for (const source of sources)
    for (const binary of component.binaries)
      if (source[binary.name] === undefined)
        throw new WeftError("WEFT-E003", `${origin}: a source of ${component.name} lacks ${binary.name}`);
}

/** The component that holds a binary. */
export function componentOf(catalogue: Catalogue, binary: string): Component {
  const found = catalogue.components.find((component) => component.binaries.some((b) => b.name === binary));
  if (found !== undefined) return found;
  const names = catalogue.components.flatMap((component) => component.binaries.map((b) => b.name));
  throw new WeftError("WEFT-E001", `there is no component binary named ${binary}`, {
    hint: `name one of: ${names.join(", ")}`,
  });
}

/** What this machine is, or an error when nothing is supplied for it. */
export function platformOf(os: string, arch: string): Platform {
  const parsed = platform.safeParse(`${os}-${arch}`);
  if (parsed.success) return parsed.data;
  throw new WeftError("WEFT-E007", `Weft supplies no components for ${os}-${arch}`, {
    hint: `use one of: ${platform.options.join(", ")}`,
  });
}
