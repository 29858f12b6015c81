// In: the files of an image's layers. Out: such an image in the OCI layout, as a map of its files, a folder or a tar archive,
// with whatever a test wants to be wrong about it.
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Headers, pack } from "tar-stream";

export interface Entry extends Headers {
  readonly content?: string | Buffer;
}

export type Packing = "gzip" | "zstd" | "plain";

const packers: Readonly<
  Record<Packing, { readonly suffix: string; readonly pack: (tar: Buffer) => Buffer }>
> = {
  gzip: { suffix: "+gzip", pack: (tar) => gzipSync(tar) },
  zstd: { suffix: "+zstd", pack: (tar) => zstdCompressSync(tar) },
  plain: { suffix: "", pack: (tar) => tar },
};

export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = "", ...header } of entries) tar.entry(header, content);
  tar.finalize();
  return buffer(tar);
}

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

export class ImageSample {
  /** Of the layout: name -> bytes. */
  readonly files = new Map<string, Buffer>();

  blob(mediaType: string, bytes: Buffer): Blob {
    const hash = createHash("sha256").update(bytes).digest("hex");
    this.files.set(`blobs/sha256/${hash}`, bytes);
    return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
  }

  json(mediaType: string, value: unknown): Blob {
    return this.blob(mediaType, Buffer.from(JSON.stringify(value)));
  }

  async layer(entries: readonly Entry[], packing: Packing = "gzip"): Promise<Blob> {
    const { suffix, pack: packed } = packers[packing];
    return this.blob(`application/vnd.oci.image.layer.v1.tar${suffix}`, packed(await tarOf(entries)));
  }

  manifest(layers: readonly Blob[], architecture = "amd64"): Blob {
    const config = this.json("application/vnd.oci.image.config.v1+json", { os: "linux", architecture });
    const type = "application/vnd.oci.image.manifest.v1+json";
    const manifest = this.json(type, { schemaVersion: 2, mediaType: type, config, layers });
    return { ...manifest, platform: { os: "linux", architecture } };
  }

  index(manifests: readonly Blob[]): Blob {
    const type = "application/vnd.oci.image.index.v1+json";
    return this.json(type, { schemaVersion: 2, mediaType: type, manifests });
  }

  /** What the layout's own list names. */
  name(...blobs: readonly Blob[]): void {
    this.files.set("oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
    this.files.set("index.json", Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: blobs })));
  }

  writeFolder(path: string): void {
    for (const [name, bytes] of this.files) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), bytes);
    }
  }

  /** @param before of each name: some tools write "./" */
  async tar(before = ""): Promise<Buffer> {
    return tarOf([...this.files].map(([name, content]) => ({ name: `${before}${name}`, content })));
  }
}

/** The beginning of a program for 64 bits; with an interpreter it needs the libraries of its system. */
export function elfProgram(hasInterpreter: boolean): Buffer {
  const program = Buffer.alloc(64 + 2 * 56);
  program.write("7f454c46020101", "hex");
  program.writeBigUInt64LE(64n, 32);
  program.writeUInt16LE(56, 54);
  program.writeUInt16LE(2, 56);
  program.writeUInt32LE(1, 64);
  program.writeUInt32LE(hasInterpreter ? 3 : 2, 64 + 56);
  return program;
}
