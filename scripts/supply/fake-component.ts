// In: a temporary folder. Out: for tests, a tiny component with a release archive and a Go module of its own, and a go
// command that "builds" it: the same code runs as for the real ones.
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { execa } from "execa";

export interface FakeComponent {
  readonly catalogueFile: string;
  readonly archive: string;
  readonly cacheHome: string;
  readonly cacheRoot: string;
  /** a folder to put at the head of PATH: it holds the go command */
  readonly bin: string;
  /** one line per build that began */
  readonly buildLog: string;
  /** while this file exists a build waits, having written half a binary */
  readonly hold: string;
}

const program = (version: string) => `#!/bin/sh\necho "fake ${version}"\n`;

export async function makeFakeComponent(
  folder: string,
  options: { readonly sha256?: string; readonly release?: boolean; readonly bytes?: number } = {},
): Promise<FakeComponent> {
  const fake: FakeComponent = {
    catalogueFile: join(folder, "catalogue.json"),
    archive: join(folder, "fake.tar.gz"),
    cacheHome: join(folder, "cache"),
    cacheRoot: join(folder, "cache", "weft", "components"),
    bin: join(folder, "bin"),
    buildLog: join(folder, "builds"),
    hold: join(folder, "hold"),
  };
  await mkdir(join(folder, "fake-1.0.0"), { recursive: true });
  await mkdir(join(folder, "module"));
  await mkdir(fake.bin);
  await writeFile(join(folder, "module", "go.mod"), "module fake\n");
  const padding = `#${"x".repeat(options.bytes ?? 10)}\n`;
  await writeFile(join(folder, "fake-1.0.0", "fake"), program("1.0.0") + padding, { mode: 0o755 });
  await execa("tar", ["-czf", fake.archive, "-C", folder, "fake-1.0.0"]);
  await writeGo(fake, padding);
  const sha256 = createHash("sha256")
    .update(await readFile(fake.archive))
    .digest("hex");
  const release = {
    url: pathToFileURL(fake.archive).href,
    sha256: options.sha256 ?? sha256,
    hashCompared: false,
    members: { fake: "fake-1.0.0/fake" },
  };
  const component = {
    name: "fake",
    version: "1.0.0",
    licence: "none",
    skew: "none",
    binaries: [{ name: "fake", unit: "fake.service", runsOn: "node" }],
    release: options.release === false ? {} : { "linux-x64": release, "linux-arm64": release },
    module: {
      folder: "module",
      go: "1.26.6",
      cgo: false,
      tags: [],
      ldflags: "",
      packages: { fake: "example.test/fake" },
    },
  };
  await writeFile(fake.catalogueFile, JSON.stringify({ format: 1, components: [component] }));
  return fake;
}

/** Answers `version`; for `build ... -o DIR/ ...` writes half, waits while held, then writes all. */
async function writeGo(fake: FakeComponent, padding: string): Promise<void> {
  const script = `#!/bin/sh
if [ "$1" = version ]; then echo "go version go1.26.6 linux/amd64"; exit; fi
while [ "$1" != -o ]; do shift; done
echo build >> ${fake.buildLog}
printf '#!/bin/sh' > "$2/fake" || exit 1
while [ -e ${fake.hold} ]; do sleep 0.05; done
cat > "$2/fake" <<'PROGRAM' || { echo "write $2/fake: no space left on device" >&2; exit 1; }
${program("1.0.0")}${padding}PROGRAM
`;
  await writeFile(join(fake.bin, "go"), script);
  await chmod(join(fake.bin, "go"), 0o755);
}
