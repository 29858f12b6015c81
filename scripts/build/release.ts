// In: the bundles, the units, the catalogue with the hashes this release accepts, the Node binary. Out: the files of a
// release, as paths inside it with their contents.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Catalogue } from "../supply/catalogue.ts";
import { programs } from "./bundle.ts";

export interface ReleaseFile {
  readonly path: string;
  readonly content: Buffer;
  readonly executable: boolean;
}

export interface ReleaseInput {
  readonly root: string;
  readonly version: string;
  readonly platform: string;
  readonly catalogue: Catalogue;
  /** binary -> the SHA-256 values a node may take relayed bytes for */
  readonly accepted: Readonly<Record<string, readonly string[]>>;
  readonly nodeSha256: string;
}

const units = {
  "packages/node-agent/systemd": [
    "weft-node-agent",
    "weft-restore",
    "weft-dns",
    "spire-agent",
    "weft-netns@",
    "weft-cilium",
    "weft-cilium-down",
    "weft-etcd",
  ],
  "packages/coordinator/systemd": ["weft-coordinator", "spire-server"],
} as const;

/** What runs without any runtime of ours. */
const scripts = {
  "lib/weft-restore": "packages/node-agent/systemd/weft-restore.sh",
  "lib/weft-netns": "packages/node-agent/systemd/weft-netns.sh",
  "lib/weft-cilium-down": "packages/node-agent/systemd/weft-cilium-down.sh",
} as const;

const commands = { weft: "weft.cjs", "weft-node-agent": "weft-node-agent.cjs" } as const;

/** Everything but the Node runtime, sorted by path. */
export function releaseFiles(input: ReleaseInput): readonly ReleaseFile[] {
  const read = (path: string) => readFileSync(join(input.root, path));
  const files: ReleaseFile[] = [
    ...Object.entries(commands).map(([name, program]) => text(`bin/${name}`, wrapper(program), true)),
    ...Object.keys(programs).map((name) => file(`lib/${name}.cjs`, read(`dist/${name}.cjs`))),
    ...Object.entries(scripts).map(([path, source]) => file(path, read(source), true)),
    ...Object.entries(units).flatMap(([folder, names]) =>
      names.map((name) => file(`units/${name}.service`, read(`${folder}/${name}.service`))),
    ),
    text("catalogue.json", `${JSON.stringify(releaseCatalogue(input), undefined, 2)}\n`),
    text("components.sha256", hashLines(input.accepted)),
    text("VERSION", `${input.version}\n`),
    file("install.sh", read("install.sh"), true),
    file("LICENSE", read("LICENSE")),
    file("lib/node.LICENSE", read(`node_modules/node-${input.platform}/LICENSE`)),
  ];
  files.push(text("BUILD", buildFile(input, files)));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The pinned catalogue with what this release accepts, whoever serves the bytes; how to build it stays at home. */
function releaseCatalogue({ catalogue, accepted, platform, version }: ReleaseInput): unknown {
  return {
    format: catalogue.format,
    weft: version,
    platform,
    components: catalogue.components.map(({ module: _module, binaries, ...component }) => ({
      ...component,
      binaries: binaries.map((binary) => ({ ...binary, sha256: accepted[binary.name] ?? [] })),
    })),
  };
}

/** The form of sha256sum, for the installer, which has no JSON reader. */
function hashLines(accepted: ReleaseInput["accepted"]): string {
  return Object.entries(accepted)
    .flatMap(([name, hashes]) => hashes.map((hash) => `${hash}  ${name}\n`))
    .sort()
    .join("");
}

function wrapper(program: string): string {
  return [
    "#!/bin/sh",
    'here=$(dirname -- "$(readlink -f -- "$0")")',
    'exec "$here/../lib/node" --tls-min-v1.3 --disable-warning=ExperimentalWarning \\',
    `  "$here/../lib/${program}" "$@"`,
    "",
  ].join("\n");
}

/** Same content, same build: the installer compares this file to see whether there is anything to do. */
function buildFile(input: ReleaseInput, files: readonly ReleaseFile[]): string {
  const hash = createHash("sha256").update(input.nodeSha256);
  for (const { path, content } of files) hash.update(`${path}\0${content.length}\0`).update(content);
  return `version=${input.version}\nplatform=${input.platform}\nbuild=${hash.digest("hex").slice(0, 32)}\n`;
}

function file(path: string, content: Buffer, executable = false): ReleaseFile {
  return { path, content, executable };
}

function text(path: string, content: string, executable = false): ReleaseFile {
  return file(path, Buffer.from(content), executable);
}
