// The programs of Cilium out of images that tests make: real archives, real compression, and what can be wrong with them.
// over 300 lines: each case is the same image but for one thing, and what is refused is read against what is taken
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import {
  type Blob,
  type Entry,
  elfProgram,
  ImageSample,
  type Packing,
  tarOf,
} from "../../../../test/support/cilium/image-sample.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { type InstallQuestion, runCiliumInstall } from "./cilium-install.ts";
import type { CommandContext } from "./context.ts";

const programs: readonly Entry[] = [
  { name: "usr/bin/cilium-agent", content: "agent", mode: 0o4755 },
  { name: "usr/bin/cilium-dbg", content: "dbg" },
  { name: "usr/bin/cilium-health-responder", content: "responder" },
];
const sources: readonly Entry[] = [
  { name: "var/lib/cilium/bpf/", type: "directory" },
  { name: "var/lib/cilium/bpf/bpf_lxc.c", content: "int main;", mode: 0o777 },
  { name: "var/lib/cilium/bpf/lib/common.h", content: "#define ONE 1" },
];
const system: readonly Entry[] = [
  { name: "etc/passwd", content: "root:x:0:0::/:/bin/sh" },
  { name: "dev/console", type: "character-device", devmajor: 5, devminor: 1 },
  { name: "bin", type: "symlink", linkname: "usr/bin" },
  { name: "usr/bin/sudo", content: "sudo", mode: 0o4755 },
  { name: "usr/local/bin/clang", content: elfProgram(false) },
];
const unpacked = {
  "cilium-agent": "agent",
  "cilium-dbg": "dbg",
  "cilium-health-responder": "responder",
  "bpf/bpf_lxc.c": "int main;",
  "bpf/lib/common.h": "#define ONE 1",
  "bin/clang": elfProgram(false).toString(),
};

let host: FakeHost;
let image: ImageSample;
let lines: string[];
let printed: string;

beforeEach(() => {
  host = new FakeHost();
  image = new ImageSample();
  lines = [];
  printed = "cilium-agent 1.18.10 1d8b9c6b47 2026-05-28T00:00:00+00:00 go version go1.26 linux/amd64\n";
  host.exec.programs.set("/opt/weft/cilium.new/cilium-agent", () => ({ stdout: printed }));
  mkdirSync(join(host.root, "root"));
});
afterEach(() => host.dispose());

const context = (changes: Partial<CommandContext> = {}): CommandContext => ({
  host,
  terminal: {
    out: (line) => void lines.push(line),
    err: (line) => void lines.push(line),
    input: Readable.from([]),
    questions: new Writable({ write: (_chunk, _encoding, done) => done() }),
    interactive: false,
  },
  version: "1",
  isRoot: true,
  signal: new AbortController().signal,
  ...changes,
});

/** Of a folder of the machine: path -> content. */
function tree(path: string): Record<string, string> {
  const at = join(host.root, path);
  return Object.fromEntries(
    readdirSync(at, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file.slice(at.length + 1), readFileSync(file, "utf8")]),
  );
}

interface Given extends Partial<InstallQuestion> {
  readonly context?: Partial<CommandContext>;
}

/** With the bytes of a tar archive, or what the sample has as one. */
async function install(anchor: Blob, given: Given & { readonly tar?: Buffer } = {}): Promise<number> {
  const { tar, context: changes, ...question } = given;
  writeFileSync(join(host.root, "root/image.tar"), tar ?? (await image.tar()));
  return runCiliumInstall(context(changes), {
    archive: "/root/image.tar",
    digest: undefined,
    architecture: "x64",
    known: [{ version: "1.18.10", digest: anchor.digest, platforms: ["linux/amd64"] }],
    ...question,
  });
}

/** An image for this machine of the layers with these entries, named as a whole. */
async function made(...layers: readonly (readonly Entry[])[]): Promise<Blob> {
  const blobs: Blob[] = [];
  for (const entries of layers) blobs.push(await image.layer(entries));
  return named(blobs);
}

function named(layers: readonly Blob[]): Blob {
  const anchor = image.index([
    image.manifest([image.blob("application/vnd.oci.image.layer.v1.tar", Buffer.from("arm"))], "arm64"),
    image.manifest(layers),
  ]);
  image.name(anchor);
  return anchor;
}

/** Nothing is there that was not there before. */
async function refused(anchor: Blob, given: Parameters<typeof install>[1], error: object): Promise<void> {
  mkdirSync(join(host.root, "opt/weft/cilium"), { recursive: true });
  writeFileSync(join(host.root, "opt/weft/cilium/cilium-agent"), "the one before");
  await expect(install(anchor, given)).rejects.toMatchObject(error);
  expect(tree("opt/weft")).toEqual({ "cilium/cilium-agent": "the one before" });
  expect(readdirSync(join(host.root, "opt/weft"))).toEqual(["cilium"]);
}

describe("a known image", () => {
  it.each<Packing>(["gzip", "zstd", "plain"])(
    "gives what is wanted of it, from layers in %s",
    async (packing) => {
      const layers = [
        await image.layer(system, packing),
        await image.layer([...programs, ...sources], packing),
      ];
      expect(await install(named(layers))).toBe(0);
      expect(tree("opt/weft")).toEqual(
        Object.fromEntries(Object.entries(unpacked).map(([name, content]) => [`cilium/${name}`, content])),
      );
      expect(lines.map((line) => line.replace(/^ +\d\.\d s {2}/, ""))).toEqual([
        expect.stringMatching(/^sha256:\w{64} is Cilium 1\.18\.10$/),
        "layer 1 of 2 is right (1 MiB)",
        "layer 2 of 2 is right (1 MiB)",
        "its own clang is taken, and this machine needs none",
        expect.stringMatching(/^Cilium 1\.18\.10 is in \/opt\/weft\/cilium; /),
      ]);
    },
  );

  it("is taken from a folder, too", async () => {
    const anchor = await made(system, [...programs, ...sources]);
    image.writeFolder(join(host.root, "root/layout"));
    expect(await install(anchor, { archive: "/root/layout" })).toBe(0);
    expect(tree("opt/weft/cilium")).toEqual(unpacked);
  });

  it("is taken from an archive whose names begin with ./, and of layers that are too big to remember", async () => {
    const big = { name: "usr/bin/hubble", content: Buffer.alloc(3 << 20, "hubble") };
    const layers = [
      await image.layer([...system, big], "plain"),
      await image.layer([...programs, ...sources]),
    ];
    expect(await install(named(layers), { tar: await image.tar("./") })).toBe(0);
    expect(tree("opt/weft/cilium")).toEqual(unpacked);
  });

  it("gets modes of Weft's own: nothing is setuid, and nothing anybody's to write", async () => {
    await install(await made(system, [...programs, ...sources]));
    const mode = (path: string) => lstatSync(join(host.root, "opt/weft/cilium", path)).mode & 0o7777;
    expect(["cilium-agent", "bin/clang", "bin", "bpf", "bpf/lib"].map(mode)).toEqual(Array(5).fill(0o755));
    expect(["bpf/bpf_lxc.c", "bpf/lib/common.h"].map(mode)).toEqual([0o644, 0o644]);
  });

  it("takes the place of the one before, whole, and of what a killed run left", async () => {
    for (const path of ["cilium/old", "cilium.new/bpf/half", "cilium.old/older"])
      await host.files.write(`/opt/weft/${path}`, "");
    await install(await made(system, [...programs, ...sources]));
    expect(readdirSync(join(host.root, "opt/weft"))).toEqual(["cilium"]);
    expect(tree("opt/weft/cilium")).toEqual(unpacked);
  });

  it("is named by one manifest, where the operator names that", async () => {
    const manifest = image.manifest([await image.layer([...programs, ...sources])]);
    image.name(manifest);
    expect(await install(manifest, { known: [], digest: manifest.digest })).toBe(0);
    expect(lines[0]).toMatch(/is what you named$/);
  });
});

describe("layers", () => {
  const base = [...programs, ...sources];
  const at = (name: string) => tree("opt/weft/cilium")[name];

  it("a later one replaces a file", async () => {
    await install(await made(base, [{ name: "usr/bin/cilium-dbg", content: "newer" }]));
    expect(at("cilium-dbg")).toBe("newer");
  });

  it("a later one takes a file away, or a folder", async () => {
    const whiteouts = [{ name: "var/lib/cilium/bpf/.wh.lib" }, { name: "usr/bin/.wh.sudo" }];
    await install(await made([...base, ...system], whiteouts));
    expect(Object.keys(tree("opt/weft/cilium/bpf"))).toEqual(["bpf_lxc.c"]);
  });

  it("a later one empties a folder, but for what it has there itself, in whatever order", async () => {
    const own = (name: string) => ({ name: `var/lib/cilium/bpf/${name}`, content: "own" });
    await install(await made(base, [own("a.c"), { name: "var/lib/cilium/bpf/.wh..wh..opq" }, own("b.c")]));
    expect(tree("opt/weft/cilium/bpf")).toEqual({ "a.c": "own", "b.c": "own" });
  });

  it("a file in the place of a folder, and the other way round", async () => {
    const top = [
      { name: "var/lib/cilium/bpf/lib", content: "a file now" },
      { name: "var/lib/cilium/bpf/bpf_lxc.c/", type: "directory" as const },
      { name: "var/lib/cilium/bpf/bpf_lxc.c/inside", content: "below" },
    ];
    await install(await made(base, top));
    expect(tree("opt/weft/cilium/bpf")).toEqual({ lib: "a file now", "bpf_lxc.c/inside": "below" });
  });

  it.each<[string, Entry]>([
    ["a whiteout of the program", { name: "usr/bin/.wh.cilium-agent" }],
    ["a whiteout of its folder", { name: "usr/.wh.bin" }],
    ["a folder that is emptied above it", { name: "usr/.wh..wh..opq" }],
    ["a whole image that is emptied", { name: ".wh..wh..opq" }],
    ["a folder in its place", { name: "usr/bin/cilium-agent/", type: "directory" }],
    ["a link in the place of its folder", { name: "usr/bin", type: "symlink", linkname: "/tmp" }],
  ])("%s: it is missed, and nothing is placed", async (_, entry) => {
    const why = expect.stringMatching(/^the image has no usr\/bin\/cilium-agent/);
    await refused(await made(base, [entry]), {}, { code: "WEFT-E003", message: why });
  });

  it("without the folder of sources nothing is placed", async () => {
    const message = "the image has no var/lib/cilium/bpf/";
    await refused(await made(base, [{ name: "var/lib/cilium/.wh.bpf" }]), {}, { message });
  });
});

describe("its clang", () => {
  const clang = (entry: Partial<Entry>) =>
    made([...programs, ...sources, { name: "usr/local/bin/clang", ...entry }]);

  it("is left out when it needs libraries", async () => {
    await install(await clang({ content: elfProgram(true) }));
    expect(tree("opt/weft/cilium")["bin/clang"]).toBeUndefined();
    expect(lines.join("\n")).toContain("is left out: this machine needs clang 18 or newer");
  });

  it.each<[string, Partial<Entry>]>([
    ["no program", { content: "#!/bin/sh" }],
    ["a link", { type: "symlink", linkname: "clang-19" }],
  ])("is left out when it is %s", async (_, entry) => {
    await install(await clang(entry));
    expect(tree("opt/weft/cilium")["bin/clang"]).toBeUndefined();
    expect(lines.join("\n")).toContain("this machine needs clang 18 or newer");
  });
});

describe("is refused whole", () => {
  const good = () => made(system, [...programs, ...sources]);
  const wrong = { code: "WEFT-E301" };
  const form = { code: "WEFT-E003" };

  it("an image that nobody knows, and is told which it is and which are known", async () => {
    const anchor = await good();
    const known = [{ version: "1.18.10", digest: `sha256:${"0".repeat(64)}`, platforms: [] }];
    const why = expect.stringMatching(
      new RegExp(`has ${anchor.digest}; known are ${known[0]?.digest} \\(1\\.18`),
    );
    await refused(anchor, { known }, { ...wrong, why });
  });

  it("a known image, when the operator names another", async () => {
    await refused(await good(), { digest: `sha256:${"1".repeat(64)}` }, wrong);
  });

  it.each(["index", "manifest", "config", "layer"])("a byte of the %s that is another", async (what) => {
    const anchor = await good();
    const begins: Record<string, string> = {
      index: '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"',
      manifest: '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"',
      config: '{"os":"linux","architecture":"amd64"}',
      layer: "\x1f",
    };
    const found = [...image.files].filter(
      ([name, content]) =>
        name.startsWith("blobs/") && content.toString("latin1").startsWith(begins[what] ?? "?"),
    );
    const [name, bytes] = found.at(-1) ?? ["", Buffer.alloc(0)];
    const changed = Buffer.from(bytes);
    // white space at the end of a text, or the time in the head of gzip: it still reads as before
    if (what === "layer") changed.writeUInt8(bytes.readUInt8(4) ^ 1, 4);
    else changed.write(" ", changed.length - 1);
    image.files.set(name, changed);
    await refused(anchor, {}, wrong);
  });

  it.each<[string, (layer: Buffer) => Buffer]>([
    ["other bytes that unpack as well", () => gzipSync("")],
    ["bytes after its end", (layer) => Buffer.concat([layer, Buffer.alloc(3 << 20)])],
    ["fewer bytes", (layer) => layer.subarray(0, -20)],
    ["no bytes", () => Buffer.alloc(0)],
  ])("a layer with %s", async (_, change) => {
    const anchor = await good();
    const [name, bytes] = [...image.files].find(([, content]) => content.readUInt8(0) === 0x1f) ?? [""];
    image.files.set(name, change(bytes ?? Buffer.alloc(0)));
    await refused(anchor, {}, wrong);
  });

  it.each<[Packing, (tar: Buffer) => Buffer]>([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
    ["plain", (tar) => tar],
  ])("a layer that its digest names, in %s, with something after its end", async (packing, packed) => {
    const tar = await tarOf([...programs, ...sources]);
    const bytes = Buffer.concat([packed(tar), Buffer.alloc(3 << 20, "after")]);
    const suffix = packing === "plain" ? "" : `+${packing}`;
    const layer = image.blob(`application/vnd.oci.image.layer.v1.tar${suffix}`, bytes);
    await refused(named([layer]), {}, { ...form, message: `${layer.digest} is damaged` });
  });

  it("a layer that its digest names, and breaks off", async () => {
    const tar = await tarOf([...programs, ...sources]);
    const layer = image.blob("application/vnd.oci.image.layer.v1.tar", tar.subarray(0, 512 + 3));
    await refused(named([layer]), {}, { ...form, message: `${layer.digest} is damaged` });
  });

  it("a layer that is missing, or of a kind that nothing is known of", async () => {
    const layer = await image.layer([...programs, ...sources]);
    const anchor = named([
      layer,
      { ...layer, mediaType: "application/vnd.oci.image.layer.v1.tar+encrypted" },
    ]);
    await refused(anchor, {}, form);
    image.files.delete(`blobs/sha256/${layer.digest.slice(7)}`);
    await refused(anchor, {}, { ...wrong, message: `${layer.digest} is missing in the archive` });
  });

  it("an archive that breaks off", async () => {
    const anchor = await good();
    const tar = await image.tar();
    await refused(anchor, { tar: tar.subarray(0, tar.length / 2) }, form);
  });

  it.each<[string, Buffer]>([
    ["something else", Buffer.alloc(4096, "no archive")],
    ["nothing", Buffer.alloc(0)],
  ])("an archive that is %s", async (_, tar) => {
    await refused(await good(), { tar }, form);
  });

  it("a layout without its list, and one that is not there", async () => {
    const anchor = await good();
    image.files.delete("index.json");
    await refused(anchor, {}, { ...form, why: "It has no index.json." });
    await refused(anchor, { archive: "/root/none.tar" }, { code: "WEFT-E002" });
  });

  it("an image for another platform", async () => {
    const anchor = await made(programs);
    await refused(anchor, { architecture: "riscv64" }, { code: "WEFT-E007" });
    image.name(image.index([image.manifest([], "s390x")]));
    const index = image.index([image.manifest([], "s390x")]);
    await refused(index, {}, { code: "WEFT-E007", message: `${index.digest} is for linux/s390x` });
  });

  it("a manifest whose configuration is for another platform than the index says", async () => {
    const other = { ...image.manifest([], "arm64"), platform: { os: "linux", architecture: "amd64" } };
    const index = image.index([other]);
    image.name(index);
    await refused(index, {}, { code: "WEFT-E007", message: `${index.digest} is for linux/arm64` });
  });

  it.each<[string, Entry]>([
    ["a path that leaves the image", { name: "usr/../../../etc/cron.d/own", content: "x" }],
    [
      "a path that leaves it from a wanted folder",
      { name: "var/lib/cilium/bpf/../../../../tmp/own", content: "x" },
    ],
    ["a path from the root", { name: "/etc/cron.d/own", content: "x" }],
    ["a link that leads out", { name: "var/lib/cilium/bpf/out", type: "symlink", linkname: "/etc" }],
    [
      "a link in the place of a program",
      { name: "usr/bin/cilium-dbg", type: "symlink", linkname: "/bin/sh" },
    ],
    ["a hard link", { name: "usr/bin/cilium-dbg", type: "link", linkname: "etc/shadow" }],
    ["a device", { name: "var/lib/cilium/bpf/sda", type: "block-device", devmajor: 8, devminor: 0 }],
    ["a pipe", { name: "usr/bin/cilium-dbg", type: "fifo" }],
  ])("%s", async (_, entry) => {
    await refused(await made([...programs, ...sources], [entry]), {}, form);
  });

  it("a version that this release does not drive", async () => {
    printed = "cilium-agent 1.20.1 abc go version go1.26 linux/amd64\n";
    const why = "This release of Weft drives 1.18.x and 1.19.x, and no other.";
    await refused(await good(), {}, { code: "WEFT-E300", why });
  });

  it("a version that is not the one the image is known as, and one that is not told", async () => {
    printed = "cilium-agent 1.19.0 abc go version go1.26 linux/amd64\n";
    await refused(await good(), {}, { code: "WEFT-E300", message: expect.stringContaining("says 1.19.0") });
    printed = "Segmentation fault\n";
    await refused(await good(), {}, { code: "WEFT-E300" });
  });

  it("by who is not root, with a digest that is none, and when it is interrupted", async () => {
    const anchor = await good();
    await refused(anchor, { context: { isRoot: false } }, { code: "WEFT-E006" });
    await refused(anchor, { digest: "sha256:abc" }, { code: "WEFT-E001" });
    await refused(anchor, { context: { signal: AbortSignal.abort() } }, { name: "AbortError" });
  });
});

it("what a run left that was killed between its two renames is put back by the next, whatever becomes of that", async () => {
  await host.files.write("/opt/weft/cilium.old/cilium-agent", "the one before");
  printed = "no version";
  await expect(install(await made(system, [...programs, ...sources]))).rejects.toMatchObject({
    code: "WEFT-E300",
  });
  expect(tree("opt/weft")).toEqual({ "cilium/cilium-agent": "the one before" });
});
