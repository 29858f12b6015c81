import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { execa } from "execa";
import { type FakeComponent, makeFakeComponent } from "./fake-component.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-supply-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const main = join(import.meta.dirname, "main.ts");

function command(fake: FakeComponent): readonly [string, readonly string[]] {
  return [process.execPath, [main, "--catalogue", fake.catalogueFile]];
}

function optionsFor(fake: FakeComponent) {
  const env = {
    PATH: `${fake.bin}:${process.env["PATH"] ?? ""}`,
    XDG_CACHE_HOME: fake.cacheHome,
    NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
  };
  return { env, reject: false, all: true } as const;
}

function start(fake: FakeComponent) {
  const [file, args] = command(fake);
  return execa(file, args, optionsFor(fake));
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function halfWritten(fake: FakeComponent): Promise<boolean> {
  const names = await readdir(fake.cacheRoot, { recursive: true }).catch(() => []);
  return names.some((name) => name.endsWith("/out/fake"));
}

async function entries(fake: FakeComponent): Promise<readonly string[]> {
  return (await readdir(fake.cacheRoot)).filter((name) => !name.endsWith(".lock"));
}

/** Processes whose command line names the fake's folder. */
async function leftovers(): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.filter((line) => line.includes(folder));
}

async function expectNextRunGoesOn(fake: FakeComponent): Promise<void> {
  const next = await start(fake);
  expect(next.all).toContain("fake is from:");
  expect(next.exitCode).toBe(0);
  const [entry, ...rest] = await entries(fake);
  expect(rest).toEqual([]);
  const { stdout } = await execa(join(fake.cacheRoot, entry ?? "", "fake"));
  expect(stdout).toBe("fake 1.0.0");
}

describe("an interrupted supply", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("leaves nothing after %s", async (signal) => {
    const fake = await makeFakeComponent(folder, { release: false });
    await writeFile(fake.hold, "");
    const run = start(fake);
    await until("half a binary is there", () => halfWritten(fake));
    run.kill(signal);
    const { exitCode, all } = await run;
    expect(all).toContain("interrupted; nothing half-made was kept");
    expect(exitCode).toBe(130);
    expect(await entries(fake)).toEqual([]);
    await until("the build is gone", async () => (await leftovers()).length === 0);
    await rm(fake.hold);
    await expectNextRunGoesOn(fake);
  });

  it("leaves no entry, no lock and no build when it is killed outright", async () => {
    const fake = await makeFakeComponent(folder, { release: false });
    await writeFile(fake.hold, "");
    const run = start(fake);
    await until("half a binary is there", () => halfWritten(fake));
    run.kill("SIGKILL");
    await run;
    await until("the build and the lock holder are gone", async () => (await leftovers()).length === 0);
    expect((await entries(fake)).every((name) => name.startsWith(".staging-"))).toBe(true);
    await rm(fake.hold);
    await expectNextRunGoesOn(fake);
  });
});

describe("a full disk", () => {
  // a mount namespace of its own: the small disk goes with the process
  const onSmallDisk = (fake: FakeComponent) => {
    const [file, args] = command(fake);
    const script =
      'mount -t tmpfs -o size=64k tmpfs "$1" && shift && "$@"; code=$?; ls -A "$CACHE"; exit $code';
    const options = optionsFor(fake);
    const flags = process.getuid?.() === 0 ? ["-m"] : ["-rm"];
    return execa("unshare", [...flags, "sh", "-c", script, "sh", fake.cacheHome, file, ...args], {
      ...options,
      env: { ...options.env, CACHE: fake.cacheRoot },
    });
  };

  it.each([
    ["archive", true],
    ["build", false],
  ] as const)(
    "ends with a plain sentence, keeps nothing, and the next run goes on: %s",
    async (_, release) => {
      const fake = await makeFakeComponent(folder, { release, bytes: 200_000 });
      await mkdir(fake.cacheHome);
      const full = await onSmallDisk(fake);
      expect(full.all).toContain("is on a full disk");
      expect(full.all).toContain("free some space");
      expect(full.exitCode).toBe(1);
      expect(full.stdout).not.toMatch(/^fake-1\.0\.0|staging/m);
      expect(existsSync(fake.cacheRoot)).toBe(false);
      await expectNextRunGoesOn(fake);
    },
  );
});
