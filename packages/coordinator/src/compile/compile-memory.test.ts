import { describe, expect, it } from "@jest/globals";
import { canonicalText } from "@weft/shared/plan/canonical";
import fc from "fast-check";
import { loadMesh } from "../mesh/validate.ts";
import { compileMesh } from "./compile.ts";
import { CompileMemory } from "./compile-memory.ts";

const coordinator = {
  node: "hub",
  address: "10.77.0.10",
  agentPort: 7443,
  enrolmentPort: 7444,
  spirePort: 8081,
};

function load(text: string) {
  const { mesh } = loadMesh([{ name: "m", text }], { coordinatorNode: "hub" });
  if (mesh === undefined) throw new Error(`the sample has problems: ${text}`);
  return mesh;
}

const head = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  n1: { address: 10.77.0.11, dns: { mode: file } }
  n2: { address: "fd77::12" }
services:
  web: { nodes: [n1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [n1, n2], user: api, unit: api.service, ports: { http: 8081/tcp } }
`;
const base = `${head}policies:\n  - { name: p, from: [node:n1], to: api }\n`;

describe("a memory of the last compilation", () => {
  const texts = [
    base,
    `${base}  - { name: q, from: [node:hub], to: web }\n`,
    `# a line more\n${base}`,
    base.replace("user: web,", "user: www,"),
    base.replace("10.77.0.11", "10.77.0.19"),
    base.replace("unit: api.service,", ""),
    `${base}baseline: { inbound: deny, allow: [{ from: [any], ports: [22/tcp] }] }\n`,
    `${base}  - { name: i, from: [api], to: node:hub, ports: [icmp] }\n`,
    `${base}  - { name: r, from: [{ cidr: 10.77.0.0/28 }], to: [web, api] }\n`,
    `${base}  - { name: o, from: [web], to: { cidr: 10.77.0.0/28 } }\n`,
    base.replace("nodes: [n1, n2]", "nodes: [n2]"),
    `${base}defaults: { mode: audit }\n`,
  ];

  it("changes nothing of what is made", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...texts), { maxLength: 6 }), (order) => {
        const memory = new CompileMemory();
        for (const text of order)
          expect(canonicalText([...compileMesh(load(text), coordinator, memory)])).toBe(
            canonicalText([...compileMesh(load(text), coordinator)]),
          );
      }),
      { numRuns: 60 },
    );
  });

  it("makes again only what an edit concerns", () => {
    const memory = new CompileMemory();
    const before = compileMesh(load(base), coordinator, memory);
    const edited = load(`${base}  - { name: q, from: [node:n2], to: web }\n`);
    const after = compileMesh(edited, coordinator, memory);
    const remade = [...after].filter(([node, content]) => content !== before.get(node));
    expect(remade.map(([node]) => node)).toEqual(["n1", "n2"]);
  });
});
