// The layer rules hold on the tree, see what they must see, and fail when they should.
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { execa } from "execa";
import { z } from "zod";

const root = resolve(import.meta.dirname, "../..");

const graphSchema = z.object({
  modules: z.array(
    z.object({ source: z.string(), dependencies: z.array(z.object({ resolved: z.string() })) }),
  ),
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), to: z.string(), rule: z.object({ name: z.string() }) })),
  }),
});

async function cruise(folder: string) {
  const { stdout } = await execa(
    process.execPath,
    [
      join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs"),
      "--config",
      "scripts/config/depcruise.cjs",
      "--output-type",
      "json",
      "packages",
      "scripts",
      "test",
      "examples",
    ],
    { cwd: folder, reject: false, maxBuffer: 200_000_000 },
  );
  return graphSchema.parse(JSON.parse(stdout));
}

/** Weft's own packages resolve inside the copy, everything else to what is installed. */
async function linkModules(copy: string): Promise<void> {
  await mkdir(join(copy, "node_modules", "@weft"), { recursive: true });
  for (const name of await readdir(join(root, "node_modules")))
    if (!name.startsWith(".") && name !== "@weft")
      await symlink(join(root, "node_modules", name), join(copy, "node_modules", name));
  for (const name of await readdir(join(copy, "packages")))
    await symlink(join(copy, "packages", name), join(copy, "node_modules", "@weft", name));
}

const describeViolation = ({ from, to, rule }: { from: string; to: string; rule: { name: string } }) =>
  `${rule.name}: ${from} -> ${to}`;

describe("layers", () => {
  it("hold on the tree, and the graph has the edges between packages", async () => {
    const { modules, summary } = await cruise(root);
    expect(summary.violations.map(describeViolation)).toEqual([]);
    const edges = modules.flatMap(({ source, dependencies }) =>
      dependencies.map(({ resolved }) => `${source} -> ${resolved}`),
    );
    // an import through a package's exports, and one through a type only: unresolved, they would escape every rule
    expect(edges).toContain("packages/coordinator/src/mesh/parse.ts -> packages/shared/src/model/mesh.ts");
    expect(
      edges.some((edge) => /^packages\/node-agent\/.* -> packages\/shared\/src\/model\//.test(edge)),
    ).toBe(true);
  }, 60_000);
});

describe("a forbidden import fails", () => {
  let copy: string;

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), "weft-layers-"));
    for (const part of ["packages", "scripts", "test", "examples", "package.json", "tsconfig.json"])
      await cp(join(root, part), join(copy, part), {
        recursive: true,
        filter: (path) => !/\/(node_modules|dist)(\/|$)/.test(path),
      });
    await linkModules(copy);
  }, 60_000);
  afterAll(() => rm(copy, { recursive: true, force: true }));

  const additions = [
    ["agent-without-coordinator", "packages/node-agent/src/added.ts", "../../coordinator/src/mesh/parse.ts"],
    ["coordinator-without-agent", "packages/coordinator/src/added.ts", "../../node-agent/src/host/host.ts"],
    ["coordinator-without-agent", "packages/coordinator/src/added2.ts", "@weft/node-agent/host/host"],
    ["model-knows-only-itself", "packages/shared/src/model/added.ts", "../plan/canonical.ts"],
    ["pure-code-touches-nothing", "packages/shared/src/render/added.ts", "node:fs"],
    ["pure-code-touches-nothing", "packages/coordinator/src/view/added.ts", "node:child_process"],
    ["pure-code-touches-nothing", "packages/shared/src/plan/added.ts", "@grpc/grpc-js"],
    [
      "generated-code-only-at-the-wire",
      "packages/node-agent/src/apply/added.ts",
      "@weft/shared/gen/weft/v1/desired",
    ],
    ["shared-is-below", "packages/shared/src/wire/added.ts", "../../../coordinator/src/mesh/parse.ts"],
    ["hardware-facts-in-one-file", "packages/node-agent/src/link/added.ts", "systeminformation"],
    ["everything-resolves", "packages/node-agent/src/link/added2.ts", "@weft/shared/no/such/file"],
  ] as const;

  it("for every rule that guards a layer", async () => {
    for (const [, file, target] of additions) await writeFile(join(copy, file), `import "${target}";\n`);
    const { summary } = await cruise(copy);
    const found = new Set(summary.violations.map(({ from, rule }) => `${rule.name} in ${from}`));
    const wanted = additions.map(([rule, file]) => `${rule} in ${file}`);
    expect(wanted.filter((violation) => !found.has(violation))).toEqual([]);
  }, 60_000);
});
