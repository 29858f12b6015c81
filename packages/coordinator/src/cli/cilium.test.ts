// `weft cilium preview`: what it prints and writes, and that it makes nothing when something cannot be said.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "@jest/globals";
import { capturedTerminal } from "../../../../test/support/captured-terminal.ts";
import { loadMesh } from "../mesh/validate.ts";
import { linuxMachine } from "../setup/linux-machine.ts";
import { readMeshSources } from "./mesh-sources.ts";
import { runCli } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-cilium-"));
const head = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes: { hub: { address: 10.77.0.10 }, web1: { address: 10.77.0.11 } }
services:
  web: { nodes: [web1], user: web, unit: web.service, ports: { http: 8080/tcp } }
policies:
`;
const good = join(folder, "good.yaml");
writeFileSync(good, `${head}  - { name: ops, from: [node:hub], to: web }\n`);
const unsayable = join(folder, "unsayable.yaml");
writeFileSync(unsayable, `${head}  - { name: ops, from: [node:hub], to: web, mode: audit }\n`);
const out = join(folder, "out");

beforeEach(() => rmSync(out, { recursive: true, force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function absent(): never {
  throw new Error("needs no coordinator");
}

async function preview(...argv: string[]) {
  const terminal = capturedTerminal();
  const code = await runCli(["cilium", "preview", ...argv], {
    terminal,
    signal: new AbortController().signal,
    now: absent,
    connect: absent,
    connectSpire: absent,
    readSources: readMeshSources,
    loadMesh: async (sources) => loadMesh(sources, { coordinatorNode: undefined }),
    meshJsonSchema: absent,
    writeSecret: absent,
    claimedBy: "ann",
    operator: undefined,
    machine: linuxMachine(),
  });
  return { code, out: terminal.outLines.join("\n"), err: terminal.errLines.join("\n") };
}

describe("weft cilium preview", () => {
  it("prints each file with its name and the labels it rests on, and says that it is a preview", async () => {
    const shown = await preview(good, "web1");
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(
      /^web1: 1 service\n {2}weft-web\.yaml: spiffe:\/\/mesh\.internal\/web\n {4}spiffe:id=/,
    );
    expect(shown.out).toContain(
      `"description": "policy ops (${good}:8); strength address, so any process of: hub"`,
    );
    expect(shown.out).toContain(
      "a preview: a node has these files when the mesh file says enforcement: cilium",
    );
  });

  it("writes whole folders, and refuses one that holds something", async () => {
    mkdirSync(join(out, "web1"), { recursive: true });
    const shown = await preview(good, "web1", "hub", "--out", out);
    expect(shown.code).toBe(0);
    expect(shown.out).not.toContain('"specs"');
    expect(readdirSync(out)).toEqual(["hub", "web1"]);
    expect(readdirSync(join(out, "hub"))).toEqual([]);
    const { nodes } = JSON.parse((await preview(good, "web1", "--json")).out) as {
      nodes: { services: { file: { name: string; text: string } }[] }[];
    };
    expect(nodes[0]?.services.map(({ file }) => file)).toEqual([
      { name: "weft-web.yaml", text: readFileSync(join(out, "web1/weft-web.yaml"), "utf8") },
    ]);
    const again = await preview(good, "hub", "web1", "--out", out);
    expect(again.err).toMatch(/web1 is not empty[\s\S]*\(WEFT-E001\)/);
    expect(again.code).toBe(2);
  });

  it("exits with 2 and makes no file when something cannot be said, and tells where", async () => {
    const shown = await preview(unsayable, "web1", "--out", out);
    expect(shown.code).toBe(2);
    expect(shown.out).toBe("");
    expect(shown.err).toMatch(/unsayable\.yaml:8:\d+: policy "ops" is in audit.*\(allowed: /);
    expect(shown.err).toContain("1 error; no file was made (WEFT-E100)");
    expect(existsSync(out)).toBe(false);
    const json = JSON.parse((await preview(unsayable, "web1", "--json")).out) as object;
    expect(json).toMatchObject({ valid: false, nodes: [], problems: [{ severity: "error" }] });
  });

  it("names the node that was probably meant, and a directory that is none", async () => {
    expect((await preview(good, "web2")).err).toMatch(/no node "web2"[\s\S]*web1[\s\S]*\(WEFT-E103\)/);
    writeFileSync(out, "");
    chmodSync(out, 0o400);
    const refused = await preview(good, "web1", "--out", out);
    expect(refused.err).toMatch(/cannot be written[\s\S]*\(WEFT-E002\)/);
    expect(refused.code).toBe(1);
  });
});
