// In: names of Debian packages, and a lab machine. Out: them installed there as on a real one, with what they need beyond
// what the machine has, fetched by this machine's apt: the machine itself has no way out.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../scripts/lab-src/run.ts";
import { must, type World } from "../../scripts/quickstart-src/world.ts";

export async function installDebian(
  world: World,
  machine: string,
  packages: readonly string[],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "weft-debs-"));
  try {
    const status = join(folder, "status");
    writeFileSync(status, await world.lab.readFile(machine, "/var/lib/dpkg/status"));
    await mkdir(join(folder, "archives", "partial"), { recursive: true });
    const options = [
      "Debug::NoLocking=1",
      `Dir::State::status=${status}`,
      `Dir::Cache::archives=${join(folder, "archives")}`,
      "Dir::Cache::pkgcache=",
      "Dir::Cache::srcpkgcache=",
      "APT::Sandbox::User=root",
    ].flatMap((option) => ["-o", option]);
    const install = ["-y", "-q", "--no-install-recommends", "--download-only", "install", ...packages];
    await run(["apt-get", ...options, ...install], { timeoutMs: 180_000 });
    const files = readdirSync(join(folder, "archives")).filter((name) => name.endsWith(".deb"));
    for (const name of files)
      await world.lab.copyIn(machine, join(folder, "archives", name), `/var/tmp/debs/${name}`);
    // unpacked in whatever order, configured in the right one
    const script = `export DEBIAN_FRONTEND=noninteractive
dpkg --force-depends --unpack /var/tmp/debs/*.deb && dpkg --force-confold --configure --pending && rm -r /var/tmp/debs`;
    await must(world, machine, ["sh", "-c", script], { timeoutMs: 180_000 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
