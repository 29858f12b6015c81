import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { parseCatalogue, platformOf } from "./catalogue.ts";
import { type FakeComponent, makeFakeComponent } from "./fake-component.ts";
import { lookUp, type SupplyContext, supply } from "./supply.ts";

let folder: string;
let lines: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-supply-"));
  lines = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function contextFor(fake: FakeComponent, overrides: Partial<SupplyContext> = {}): SupplyContext {
  return {
    root: fake.cacheRoot,
    platform: platformOf(process.platform, process.arch),
    signal: new AbortController().signal,
    connectTimeoutMs: 2_000,
    stallTimeoutMs: 2_000,
    installedFolders: [],
    modules: folder,
    goCommands: [join(fake.bin, "go")],
    goWheel: false,
    line: (text) => lines.push(text),
    now: () => 0,
    ...overrides,
  };
}

async function componentIn(fake: FakeComponent) {
  const [component] = parseCatalogue(await readFile(fake.catalogueFile, "utf8"), "test").components;
  if (component === undefined) throw new Error("the catalogue is empty");
  return component;
}

/** Only what a finished run may leave: locks and whole entries. */
async function cacheEntries(fake: FakeComponent): Promise<readonly string[]> {
  return (await readdir(fake.cacheRoot)).filter((name) => !name.endsWith(".lock"));
}

const builds = async (fake: FakeComponent) =>
  (await readFile(fake.buildLog, "utf8").catch(() => "")).split("\n").length - 1;

describe("supply", () => {
  it("takes the release archive, and afterwards needs neither it nor a build", async () => {
    const fake = await makeFakeComponent(folder);
    const component = await componentIn(fake);
    const first = await supply(contextFor(fake), component);
    expect(first.source).toMatch(/^release file:/);
    await rm(fake.archive);
    const again = await supply(contextFor(fake), component);
    expect(again).toEqual(first);
    expect(await builds(fake)).toBe(0);
  });

  it("uses nothing of an archive with another hash, says so, and builds instead", async () => {
    const fake = await makeFakeComponent(folder, { sha256: "0".repeat(64) });
    const { source } = await supply(contextFor(fake), await componentIn(fake));
    expect(source).toMatch(/^module /);
    expect(lines.join("\n")).toMatch(/wrong hash: its SHA-256 is [0-9a-f]{64}, the catalogue pins 0{64}/);
  });

  it("gives a binary its own name, where Go calls it by its package", async () => {
    const fake = await makeFakeComponent(folder, { release: false });
    const { module, ...component } = await componentIn(fake);
    if (module === undefined) throw new Error("no module");
    const binaries = [{ name: "served", unit: "", runsOn: "node" as const }];
    const named = {
      ...component,
      binaries,
      module: { ...module, packages: { served: "example.test/fake/v3" } },
    };
    const { paths } = await supply(contextFor(fake), named);
    expect(await readFile(paths["served"] ?? "", "utf8")).toContain("fake 1.0.0");
  });

  it("asks a binary that knows no --version for its version in a word", async () => {
    const fake = await makeFakeComponent(folder);
    const bin = join(folder, "installed");
    await mkdir(bin);
    const script =
      '#!/bin/sh\n[ "$1" = version ] && echo "fake version: 1.0.0" || { echo "unknown flag"; exit 1; }\n';
    await writeFile(join(bin, "fake"), script, { mode: 0o755 });
    const found = await lookUp(contextFor(fake, { installedFolders: [bin] }), await componentIn(fake), false);
    expect(found?.paths).toEqual({ fake: join(bin, "fake") });
  });

  it("fails with the wrong hash when there is no other source, and the next run goes on", async () => {
    const fake = await makeFakeComponent(folder, { sha256: "0".repeat(64) });
    const { module: _module, ...component } = await componentIn(fake);
    await expect(supply(contextFor(fake), component)).rejects.toMatchObject({ code: "WEFT-E301" });
    expect(await cacheEntries(fake)).toEqual([]);
    await rm(folder, { recursive: true });
    await mkdir(folder);
    const right = await makeFakeComponent(folder);
    expect((await supply(contextFor(right), await componentIn(right))).source).toMatch(/^release /);
  });

  it("falls through an unreachable archive", async () => {
    const fake = await makeFakeComponent(folder);
    await rm(fake.archive);
    const { source } = await supply(contextFor(fake), await componentIn(fake));
    expect(source).toMatch(/^module /);
    expect(lines.some((line) => line.includes("cannot be fetched"))).toBe(true);
  });

  it("says what to do when there is no archive and no Go", async () => {
    const fake = await makeFakeComponent(folder, { release: false });
    const context = contextFor(fake, { goCommands: [join(folder, "no-such-go")] });
    await expect(supply(context, await componentIn(fake))).rejects.toMatchObject({
      code: "WEFT-E300",
      hint: expect.stringContaining("install Go 1.26.6 or newer"),
    });
    expect(await cacheEntries(fake)).toEqual([]);
  });

  it("refuses a Go that is too old", async () => {
    const fake = await makeFakeComponent(folder, { release: false });
    await writeFile(join(fake.bin, "go"), '#!/bin/sh\necho "go version go1.19.8 linux/amd64"\n', {
      mode: 0o755,
    });
    await expect(supply(contextFor(fake), await componentIn(fake))).rejects.toMatchObject({
      code: "WEFT-E300",
      why: expect.stringContaining("is Go 1.19.8"),
    });
  });

  it("prefers what is installed at the pinned version, and only that version", async () => {
    const fake = await makeFakeComponent(folder);
    const component = await componentIn(fake);
    const installed = join(folder, "installed");
    await mkdir(installed);
    await writeFile(join(installed, "fake"), "#!/bin/sh\necho fake 1.0.1\n", { mode: 0o755 });
    const context = contextFor(fake, { installedFolders: [installed] });
    expect((await supply(context, component)).source).toMatch(/^release /);
    await writeFile(join(installed, "fake"), "#!/bin/sh\necho fake 1.0.0\n", { mode: 0o755 });
    expect((await supply(context, component)).paths).toEqual({ fake: join(installed, "fake") });
  });

  it("makes a damaged entry anew; a changed byte shows when every hash is compared", async () => {
    const fake = await makeFakeComponent(folder);
    const component = await componentIn(fake);
    const context = contextFor(fake);
    const { paths } = await supply(context, component);
    const path = paths["fake"] ?? "";
    const bytes = await readFile(path);
    bytes[bytes.length - 2] = "y".charCodeAt(0);
    await writeFile(path, bytes);
    expect(await lookUp(context, component, true)).toBeUndefined();
    await writeFile(path, bytes.subarray(0, 10));
    expect(await lookUp(context, component, false)).toBeUndefined();
    await supply(context, component);
    expect(await lookUp(context, component, true)).toBeDefined();
  });

  it("does the work once when two want it at the same time", async () => {
    const fake = await makeFakeComponent(folder, { release: false });
    const component = await componentIn(fake);
    const both = await Promise.all([
      supply(contextFor(fake), component),
      supply(contextFor(fake), component),
    ]);
    expect(both[0]).toEqual(both[1]);
    expect(await builds(fake)).toBe(1);
    expect(lines.some((line) => line.includes("another run is at it"))).toBe(true);
  });

  it("refuses a build that yields another version", async () => {
    const fake = await makeFakeComponent(folder, { release: false });
    const component = { ...(await componentIn(fake)), version: "1.0.9" };
    await expect(supply(contextFor(fake), component)).rejects.toMatchObject({
      code: "WEFT-E300",
      why: expect.stringContaining("fake 1.0.0"),
    });
    expect(await cacheEntries(fake)).toEqual([]);
  });
});
