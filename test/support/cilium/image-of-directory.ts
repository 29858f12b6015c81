// In: a directory with programs of Cilium and bpf/. Out: an image of them in a tar archive, as an operator would bring it, its
// digest beside.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type Blob, type Entry, ImageSample } from "./image-sample.ts";

const architecture = process.arch === "x64" ? "amd64" : process.arch;

export async function imageOfDirectory(
  directory: string,
): Promise<{ readonly digest: string; readonly tar: Buffer }> {
  const image = new ImageSample();
  const layers: Blob[] = [];
  for (const program of ["cilium-agent", "cilium-dbg", "cilium-health-responder"]) {
    const content = readFileSync(join(directory, program));
    layers.push(await image.layer([{ name: `usr/bin/${program}`, content }], "zstd"));
  }
  const sources = readdirSync(join(directory, "bpf"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map(
      (path): Entry => ({ name: `var/lib/cilium/${relative(directory, path)}`, content: readFileSync(path) }),
    );
  layers.push(await image.layer(sources));
  const index = image.index([image.manifest(layers, architecture)]);
  image.name(index);
  return { digest: index.digest, tar: await image.tar() };
}
