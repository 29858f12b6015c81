// In: the texts of an OCI image: index, manifest, configuration. Out: what they name, each with digest and size. Pure.
// Docker's own forms of the same are read, too: an image that a registry has in them keeps its digests only so.
import { WeftError } from "@weft/shared/errors/weft-error";
import { asList, asObject, asText, type Json } from "@weft/shared/kernel-verdict/json";

export interface Descriptor {
  readonly mediaType: string;
  /** sha256:... */
  readonly digest: string;
  readonly size: number;
  /** Like linux/amd64, of a manifest in an index. */
  readonly platform: string | undefined;
}

export interface Manifest {
  readonly config: Descriptor;
  /** The lowest first. */
  readonly layers: readonly Descriptor[];
}

export type Packing = "gzip" | "zstd" | "plain";

export const digestForm = /^sha256:[0-9a-f]{64}$/;

const indexTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];
const packings: Readonly<Record<string, Packing>> = {
  "application/vnd.oci.image.layer.v1.tar": "plain",
  "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
  "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
  "application/vnd.docker.image.rootfs.diff.tar": "plain",
  "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
};

function formError(what: string, why: string): WeftError {
  return new WeftError("WEFT-E003", `${what} is damaged, or of another form`, { why });
}

function parseObject(what: string, text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw formError(what, "It is no JSON.");
  }
  const object = asObject(value);
  if (object === undefined) throw formError(what, "It is no JSON object.");
  return object;
}

function parsePlatform(value: unknown): string | undefined {
  const platform = asObject(value);
  const [os, architecture] = [asText(platform?.["os"]), asText(platform?.["architecture"])];
  return os === undefined || architecture === undefined ? undefined : `${os}/${architecture}`;
}

function parseDescriptor(what: string, value: unknown): Descriptor {
  const fields = asObject(value);
  const [digest, size] = [asText(fields?.["digest"]), fields?.["size"]];
  if (digest === undefined || !digestForm.test(digest))
    throw formError(what, "It names something without its SHA-256.");
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw formError(what, `It does not say how big ${digest} is.`);
  return {
    mediaType: asText(fields?.["mediaType"]) ?? "",
    digest,
    size,
    platform: parsePlatform(fields?.["platform"]),
  };
}

export function parseIndex(what: string, text: string): Descriptor[] {
  const manifests = asList(parseObject(what, text)["manifests"]);
  if (manifests === undefined) throw formError(what, "It lists no manifests.");
  return manifests.map((value) => parseDescriptor(what, value));
}

export function parseManifest(what: string, text: string): Manifest {
  const manifest = parseObject(what, text);
  const layers = asList(manifest["layers"]);
  if (layers === undefined) throw formError(what, "It lists no layers.");
  return {
    config: parseDescriptor(what, manifest["config"]),
    layers: layers.map((value) => parseDescriptor(what, value)),
  };
}

/** @returns the platform that an image's configuration is for */
export function parseConfig(what: string, text: string): string {
  const platform = parsePlatform(parseObject(what, text));
  if (platform === undefined) throw formError(what, "It does not say which platform it is for.");
  return platform;
}

export function kindOf({ mediaType, digest }: Descriptor): "index" | "manifest" {
  if (indexTypes.includes(mediaType)) return "index";
  if (manifestTypes.includes(mediaType)) return "manifest";
  throw formError(digest, `It is neither index nor manifest but "${mediaType}".`);
}

export function packingOf({ mediaType, digest }: Descriptor): Packing {
  const packing = packings[mediaType];
  if (packing === undefined) throw formError(digest, `Nothing is known of layers of "${mediaType}".`);
  return packing;
}
