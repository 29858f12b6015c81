// In: how large a mesh. Out: what it costs the coordinator to compile it and to compile it again after an edit, and one
// node's kernel to be given it. Processor time, because a busy machine takes longer. The kernel is a network namespace's.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import { renderArming, renderConfirm, renderNftables, renderStaging } from "@weft/shared/render/nftables";
import { IncrementalCompiler } from "../../packages/coordinator/src/compile/incremental-compiler.ts";
import { loadMesh } from "../../packages/coordinator/src/mesh/validate.ts";
import { largeMesh, type MeshSize } from "./large-mesh.ts";
import { median, type Row, renderReport } from "./report.ts";

const place = { node: "hub", address: "10.80.0.1", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
const rounds = 10;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function timed<T>(work: () => T): { readonly result: T; readonly ms: number } {
  const began = cpuMs();
  const result = work();
  return { result, ms: cpuMs() - began };
}

const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;

function load(text: string): Mesh {
  const { mesh } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
  if (mesh === undefined) throw new TypeError("the large mesh has problems");
  return mesh;
}

export function compileBench(size: MeshSize, say: (line: string) => void): void {
  const rows: Row[] = [];
  const add = (what: string, measured: string, budget?: string) =>
    rows.push({ what, measured, ...(budget === undefined ? {} : { budget }) });
  const compiler = new IncrementalCompiler(place);
  let before = new Map<string, string>();
  const run = (what: string, text: string): ReadonlyMap<string, DesiredContent> => {
    const loaded = timed(() => load(text));
    const compiled = timed(() => compiler.compile(loaded.result));
    const digests = timed(
      () => new Map([...compiled.result].map(([node, content]) => [node, compiler.digest(content)])),
    );
    const changed = [...digests.result].filter(([node, digest]) => before.get(node) !== digest).length;
    before = digests.result;
    add(
      `${what}: read and check, compile, digest`,
      [loaded, compiled, digests].map((part) => ms(part.ms)).join(" + "),
      `${changed} nodes change`,
    );
    return compiled.result;
  };
  const text = largeMesh(size);
  const contents = run("the whole mesh", text);
  run("one policy names another source", largeMesh(size, true));
  run("and back", text);
  run("a line put in above all others", `# a comment\n${text}`);
  const bytes = [...contents.values()]
    .map((content) => ({ content, length: Buffer.byteLength(JSON.stringify(content)) }))
    .sort((a, b) => a.length - b.length);
  const largest = bytes.at(-1);
  if (largest === undefined) throw new TypeError("the mesh has no nodes");
  add(
    "content of a node as JSON: median, largest",
    `${kib(median(bytes.map(({ length }) => length)))}, ${kib(largest.length)}`,
  );
  const { policy, dns } = largest.content;
  add(
    "of that: every mesh port, every name (the same on all nodes)",
    `${kib(JSON.stringify(policy.mesh).length)}, ${kib(JSON.stringify(dns.records).length)}`,
  );
  kernelRows(largest.content, add);
  add("memory of this process", `${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB RSS`);
  say(renderReport(rows));
}

/** The processor time of nft and its kernel, by what `times` of a shell says of its children. */
function nftMs(namespace: string, file: string): number {
  const printed = execFileSync("ip", ["netns", "exec", namespace, "sh", "-c", `nft -f ${file} && times`], {
    encoding: "utf8",
  });
  const children = printed.trim().split("\n").at(-1) ?? "";
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + (Number(minutes) * 60 + Number(seconds)) * 1000,
    0,
  );
}

function kernelRows(content: DesiredContent, add: (what: string, measured: string) => void): void {
  const namespace = `weft-b${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  const digest = "0".repeat(64);
  const uids = new Map(content.identity.workloads.map(({ user }, index) => [user, 3000 + index]));
  const input = { content, revision: 1, digest, uids };
  const rendered = timed(() => renderStaging(input, "b"));
  add("its rules as a script, and rendering them", `${kib(rendered.result.length)}, ${ms(rendered.ms)}`);
  const scripts = {
    direct: renderNftables(input),
    stageB: rendered.result,
    arm: renderArming(digest, 60_000),
    confirmB: renderConfirm("b", input),
    stageA: renderStaging(input, "a"),
    confirmA: renderConfirm("a", input),
  };
  const file = (name: string) => join(folder, `${name}.nft`);
  for (const [name, script] of Object.entries(scripts)) writeFileSync(file(name), script);
  execFileSync("ip", ["netns", "add", namespace]);
  try {
    add("nft, first load of an empty kernel", ms(nftMs(namespace, file("direct"))));
    const stage: number[] = [];
    const arm: number[] = [];
    const confirm: number[] = [];
    for (let round = 0; round < rounds; round++)
      for (const slot of ["B", "A"] as const) {
        stage.push(nftMs(namespace, file(`stage${slot}`)));
        arm.push(nftMs(namespace, file("arm")));
        confirm.push(nftMs(namespace, file(`confirm${slot}`)));
      }
    add(`nft, a change: fill the other slot (median of ${stage.length})`, ms(median(stage)));
    add("nft, a change: arm it", ms(median(arm)));
    add("nft, a change: confirm, and empty the old slot", ms(median(confirm)));
    add("nft, the same slot filled over itself (boot, no dead-man)", ms(nftMs(namespace, file("direct"))));
  } finally {
    execFileSync("ip", ["netns", "del", namespace]);
    rmSync(folder, { recursive: true });
  }
}
