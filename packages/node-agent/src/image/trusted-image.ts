// In: an image's archive, the digests that are trusted, a platform. Out: the layers that such an image has there, all named by
// one chain of digests from a trusted one. Throws WEFT-E301 where there is no such chain.
import { text } from "node:stream/consumers";
import { WeftError } from "@weft/shared/errors/weft-error";
import { CheckedBlob } from "./checked-blob.ts";
import { blobName, type ImageArchive } from "./image-archive.ts";
import type { KnownImage } from "./known-images.ts";
import {
  type Descriptor,
  kindOf,
  type Manifest,
  parseConfig,
  parseIndex,
  parseManifest,
} from "./parse-image.ts";

export interface TrustedImage {
  /** The one that is trusted. */
  readonly digest: string;
  readonly layers: readonly Descriptor[];
}

export interface Trust {
  /** Named by the operator: then it is the only one. */
  readonly digest: string | undefined;
  readonly known: readonly KnownImage[];
}

/** Of index, manifest and configuration. */
const textLimit = 4 << 20;

export async function findTrusted(
  archive: ImageArchive,
  trust: Trust,
  platform: string,
): Promise<TrustedImage> {
  const anchor = await anchorOf(archive, trust);
  const { config, layers } = await manifestOf(archive, anchor, platform);
  const found = parseConfig(config.digest, await blobText(archive, config));
  if (found !== platform) throw wrongPlatform(`${anchor.digest} is for ${found}`, platform);
  return { digest: anchor.digest, layers };
}

export async function openBlob(archive: ImageArchive, blob: Descriptor): Promise<CheckedBlob> {
  const parts = await archive.open(blobName(blob.digest));
  if (parts !== undefined) return new CheckedBlob(blob, parts);
  throw new WeftError("WEFT-E301", `${blob.digest} is missing in the archive`, {
    hint: "copy the image again",
  });
}

/** The archive's own list is not signed by anybody: it only says which of the trusted ones to look at. */
async function anchorOf(archive: ImageArchive, { digest, known }: Trust): Promise<Descriptor> {
  const list = await archive.open("index.json");
  const held = list === undefined ? [] : parseIndex("index.json", await text(list));
  const trusted = digest === undefined ? known.map((image) => image.digest) : [digest];
  const anchor = held.find((descriptor) => trusted.includes(descriptor.digest));
  if (anchor !== undefined) return anchor;
  const names = held.map((descriptor) => descriptor.digest).join(", ") || "nothing";
  throw new WeftError(
    "WEFT-E301",
    digest === undefined
      ? `the archive has no image that this release knows`
      : `the archive has no ${digest}`,
    {
      why:
        digest === undefined
          ? `It has ${names}; known are ${known.map((image) => `${image.digest} (${image.version})`).join(", ")}, each the index of all platforms.`
          : `It has ${names}.`,
      hint: "copy the image with all its platforms and without any conversion, or name the digest that you trust with --digest (docs/cilium.md)",
    },
  );
}

async function manifestOf(archive: ImageArchive, anchor: Descriptor, platform: string): Promise<Manifest> {
  if (kindOf(anchor) === "manifest") return parseManifest(anchor.digest, await blobText(archive, anchor));
  const manifests = parseIndex(anchor.digest, await blobText(archive, anchor));
  const own = manifests.find((descriptor) => descriptor.platform === platform);
  if (own === undefined) {
    const platforms = manifests.flatMap((descriptor) => descriptor.platform ?? []);
    throw wrongPlatform(`${anchor.digest} is for ${platforms.join(", ") || "no platform"}`, platform);
  }
  if (kindOf(own) !== "manifest")
    throw new WeftError("WEFT-E003", `${anchor.digest} has an index where a manifest should be`);
  return parseManifest(own.digest, await blobText(archive, own));
}

function wrongPlatform(what: string, platform: string): WeftError {
  return new WeftError("WEFT-E007", what, { why: `This machine is ${platform}.` });
}

async function blobText(archive: ImageArchive, blob: Descriptor): Promise<string> {
  if (blob.size > textLimit)
    throw new WeftError("WEFT-E003", `${blob.digest} has ${blob.size} bytes, too many for what it is`);
  const checked = await openBlob(archive, blob);
  return text(checked.parts());
}
