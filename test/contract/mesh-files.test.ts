// Mesh files and what comes of them, as text for review: every problem of the bad ones, the kernel's rules and the
// plan of the good ones. WEFT_UPDATE_GOLDEN=1 writes them anew.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { compileMesh } from "../../packages/coordinator/src/compile/compile.ts";
import { describeProblem } from "../../packages/coordinator/src/mesh/problem.ts";
import { meshJsonSchema } from "../../packages/coordinator/src/mesh/schema.ts";
import { loadMesh } from "../../packages/coordinator/src/mesh/validate.ts";
import { planChanges } from "../../packages/coordinator/src/plan/changes.ts";
import { contentDigest } from "../../packages/shared/src/plan/content-digest.ts";
import { renderGuardsOnly, renderNftables } from "../../packages/shared/src/render/nftables.ts";

const root = resolve(import.meta.dirname, "../..");
const golden = join(import.meta.dirname, "golden");
const fixtures = join(root, "test/fixtures/mesh");
const examples = join(root, "examples/mesh");
const cilium = join(fixtures, "cilium.yaml");
const coordinator = {
  node: "hub",
  address: "10.77.0.10",
  agentPort: 7443,
  enrolmentPort: 7444,
  spirePort: 8081,
};

function load(path: string) {
  const name = path.slice(dirname(path).length + 1);
  return loadMesh([{ name, text: readFileSync(path, "utf8") }], { coordinatorNode: "hub" });
}

function compile(path: string) {
  const { mesh, problems } = load(path);
  if (mesh === undefined) throw new Error(problems.map(describeProblem).join("\n"));
  return compileMesh(mesh, coordinator);
}

function expectGolden(path: string, text: string): void {
  const file = join(golden, path);
  if (process.env["WEFT_UPDATE_GOLDEN"] === "1") {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).toBe(readFileSync(file, "utf8"));
}

describe("problems of a mesh file", () => {
  const bad = readdirSync(fixtures).filter((name) => name.startsWith("bad-"));
  it.each(bad)("%s", (name) => {
    const { mesh, problems } = load(join(fixtures, name));
    expect(mesh).toBeUndefined();
    expectGolden(`mesh/${name.replace(".yaml", ".txt")}`, `${problems.map(describeProblem).join("\n")}\n`);
  });
});

describe("the rules of", () => {
  const uids = new Map([
    ["web", 1001],
    ["api", 1002],
    ["shop", 1003],
    ["postgres", 1004],
  ]);
  const digest = "0".repeat(64);
  const meshes: readonly (readonly [string, string])[] = [
    ["demo", join(examples, "demo.yaml")],
    ["full", join(fixtures, "full.yaml")],
  ];
  const nodes = meshes.flatMap(([name, path]) =>
    [...compile(path)].map(([node, content]) => ({ name, node, content })),
  );
  it.each(nodes)("$name on $node", ({ name, node, content }) => {
    expectGolden(`nftables/${name}-${node}.nft`, renderNftables({ content, revision: 1, digest, uids }));
  });

  it("guards alone", () => {
    const hub = compile(join(examples, "demo.yaml")).get("hub");
    expectGolden("nftables/guards-only-hub.nft", renderGuardsOnly(hub!));
  });
});

describe("the plan", () => {
  it("of the whole full mesh", () => {
    const changes = planChanges(new Map(), compile(join(fixtures, "full.yaml")));
    expectGolden("mesh/full-plan.txt", `${changes.flatMap(({ words }) => words).join("\n")}\n`);
  });
});

describe("what nodes are given", () => {
  const meshes = { demo: join(examples, "demo.yaml"), full: join(fixtures, "full.yaml"), cilium };
  it("is the same to the byte as before, whatever other meshes may come to have", () => {
    const told = Object.entries(meshes).flatMap(([name, path]) =>
      [...compile(path)].map(([node, content]) => `${name} ${node} ${contentDigest(content)}`),
    );
    expectGolden("mesh/given.txt", `${told.join("\n")}\n`);
  });
});

describe("the JSON Schema", () => {
  it("of the mesh file", () => {
    expectGolden("mesh/schema.txt", `${JSON.stringify(meshJsonSchema(), undefined, 2)}\n`);
  });
});

describe("the examples", () => {
  it.each(readdirSync(examples).filter((name) => name.endsWith(".yaml")))("%s has no errors", (name) => {
    const { problems } = load(join(examples, name));
    expect(problems.filter(({ severity }) => severity === "error").map(describeProblem)).toEqual([]);
  });
});
