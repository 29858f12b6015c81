// The policy files of the demo mesh, as text for review: with all of its nodes taken to enforce with Cilium, and with one.
// WEFT_UPDATE_GOLDEN=1 writes them anew.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { previewCilium } from "../../packages/coordinator/src/cilium/preview.ts";
import { describeProblem } from "../../packages/coordinator/src/mesh/problem.ts";
import { loadMesh } from "../../packages/coordinator/src/mesh/validate.ts";

const root = resolve(import.meta.dirname, "../..");
const golden = join(import.meta.dirname, "golden/cilium-policies");
const demo = readFileSync(join(root, "examples/mesh/demo.yaml"), "utf8");

function preview(text: string, nodes: readonly string[]) {
  const { mesh, problems } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
  if (mesh === undefined) throw new Error(problems.map(describeProblem).join("\n"));
  return previewCilium(mesh, nodes);
}

describe("the policy files of the demo mesh", () => {
  it.each([
    ["all", ["hub", "web1", "api1"]],
    ["api1", ["api1"]],
  ])("with Cilium on %s", (name, nodes) => {
    const made = preview(demo, nodes);
    for (const { node, services } of made.nodes)
      for (const { file } of services) {
        const path = join(golden, `demo-${name}`, node, file.name);
        if (process.env["WEFT_UPDATE_GOLDEN"] === "1") {
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, file.text);
        }
        expect(file.text).toBe(readFileSync(path, "utf8"));
      }
    expect(made.nodes.map(({ node, services }) => [node, services.map(({ service }) => service)])).toEqual(
      nodes.toSorted().map((node) => [node, node === "hub" ? [] : [node.replace("1", "")]]),
    );
    expect(made.problems.map(describeProblem)).toEqual(
      nodes.includes("web1")
        ? [expect.stringMatching(/^mesh\.yaml:21:3: warning: service "web" names no unit/)]
        : [],
    );
  });

  it("are the same for any order of the mesh file", () => {
    const [head = "", services = ""] = demo.split("\nservices:");
    const [own = "", policies = ""] = services.split("\npolicies:");
    const more = "  - { name: again, from: [web], to: api }\n  - { name: ops, from: [node:hub], to: web }\n";
    const lines = more.trimEnd().split("\n");
    const text = (order: readonly string[]) =>
      `${head}\nservices:${own}\npolicies:${policies}${order.join("\n")}\n`;
    const texts = (order: readonly string[]) =>
      preview(text(order), ["web1", "api1"]).nodes.flatMap((node) =>
        // lines move with the policies; what they say does not
        node.services.map(({ file }) => file.text.replaceAll(/mesh\.yaml:\d+/g, "mesh.yaml")),
      );
    expect(texts(lines.toReversed())).toEqual(texts(lines));
  });
});
