// `weft why`, `denials`, `flows` and `graph` on real machines: what they say is compared with real connections, before
// and after the change they propose, and with a table of somebody else's in the way.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { applyMesh, bringUp, installGuest } from "../../scripts/quickstart-src/bring-up.ts";
import { meshWithGuest } from "../../scripts/quickstart-src/demo-mesh.ts";
import { callWorks } from "../../scripts/quickstart-src/proofs/services.ts";
import { joinEverybody } from "../../scripts/quickstart-src/story.ts";
import { must, until, type World } from "../../scripts/quickstart-src/world.ts";
import { applyPatch } from "../support/apply-patch.ts";

const name = `why-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
let world: World;

beforeAll(async () => {
  await labUp(labNames(name), 1, progress);
  world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  await installGuest(world);
  await bringUp(world);
  await joinEverybody(world);
}, 240_000);
afterAll(async () => {
  await labDown(labNames(name), progress);
}, 60_000);

interface Step {
  readonly kind: string;
  readonly verdict: string;
  readonly witness: string | null;
  readonly policy: string | null;
  readonly line: number | null;
}
interface Path {
  readonly verdict: string;
  readonly sentence: string;
  readonly strength: string | null;
  readonly steps: readonly Step[];
  readonly patch: string | null;
}

async function json<T>(...argv: string[]): Promise<T> {
  return JSON.parse(await must(world, "hub", ["weft", ...argv, "--json"])) as T;
}

async function why(...argv: string[]): Promise<Path> {
  const { paths } = await json<{ paths: readonly Path[] }>("why", ...argv);
  expect(paths).toHaveLength(1);
  return paths[0] as Path;
}

async function connects(machine: string, address: string, port: number, user?: string): Promise<boolean> {
  const argv = ["nc", "-z", "-w", "2", address, String(port)] as const;
  return (await world.lab.exec(machine, argv, user === undefined ? {} : { user })).code === 0;
}

describe("why", () => {
  it("says what a real connection meets, who says so, and on what it rests", async () => {
    await callWorks(world);
    const path = await why("web", "api", "http");
    expect(path).toMatchObject({ verdict: "allowed", strength: "address+uid" });
    expect(path.steps).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: "name", verdict: "ok" }),
        expect.objectContaining({
          kind: "sender",
          verdict: "ok",
          policy: "web-to-api",
          witness: "kernel of web1",
        }),
        expect.objectContaining({
          kind: "receiver",
          verdict: "ok",
          policy: "web-to-api",
          witness: "kernel of api1",
        }),
        expect.objectContaining({ kind: "listener", verdict: "ok" }),
        expect.objectContaining({ kind: "identity", verdict: "ok" }),
      ]),
    );
    const mallory = await why("mallory@web1", "api", "http");
    expect(mallory.verdict).toBe("refused");
    expect(await connects("web1", "10.77.0.12", 8080, "mallory")).toBe(false);
    const rogue = await why("10.77.0.66", "api", "http");
    expect(rogue.verdict).toBe("refused");
    expect(await connects("rogue", "10.77.0.12", 8080)).toBe(false);
    const open = await why("hub", "api1", "22");
    expect(open).toMatchObject({ verdict: "allowed", sentence: expect.stringContaining("nothing listens") });
  });

  it("proposes a change that turns the verdict, in the kernel and for real", async () => {
    const before = await why("api", "web", "http");
    expect(before.verdict).toBe("refused");
    expect(await connects("api1", "10.77.0.11", 8080, "api")).toBe(false);
    await applyMesh(world, applyPatch(meshWithGuest, before.patch ?? ""), "as why proposed");
    const after = await why("api", "web", "http");
    expect(after.verdict).toBe("allowed");
    expect(await connects("api1", "10.77.0.11", 8080, "api")).toBe(true);
    await applyMesh(world, meshWithGuest, "back");
    expect((await why("api", "web", "http")).verdict).toBe("refused");
  }, 60_000);

  it("reads the kernel: somebody else's table that refuses is named", async () => {
    await must(world, "api1", ["nft", "-f", "-"], {
      input: `table inet other { chain c { type filter hook input priority 5; policy accept; tcp dport 8080 drop; }; }\n`,
    });
    try {
      const path = await why("web", "api", "http");
      expect(path.verdict).toBe("refused");
      expect(path.sentence).toContain("inet other");
      expect(await connects("web1", "10.77.0.12", 8080, "web")).toBe(false);
    } finally {
      await must(world, "api1", ["nft", "delete", "table", "inet", "other"]);
    }
    expect((await why("web", "api", "http")).verdict).toBe("allowed");
  });

  it("does not guess for a node that is away", async () => {
    await must(world, "api1", ["systemctl", "stop", "weft-node-agent"]);
    try {
      const path = await until("api1 away", 20_000, async () => {
        const found = await why("web", "api", "http");
        return found.verdict === "unknown" ? found : undefined;
      });
      expect(path.sentence).toContain("api1");
    } finally {
      await must(world, "api1", ["systemctl", "start", "weft-node-agent"]);
    }
    await until("api1 back", 20_000, async () =>
      (await why("web", "api", "http")).verdict === "allowed" ? true : undefined,
    );
  }, 60_000);
});

interface Flow {
  readonly kind: string;
  readonly source: { readonly kind: string; readonly name: string | null; readonly address: string };
  readonly destination: { readonly name: string | null };
  readonly port: number;
  readonly count: number;
  readonly witness: string;
  readonly refusedBy?: string;
  readonly wouldAllow?: string | null;
}

describe("what kernels have counted", () => {
  it("denials name who it was, what for, and the line that would allow it, at once", async () => {
    await connects("web1", "10.77.0.12", 8080, "mallory");
    await connects("rogue", "10.77.0.12", 8080);
    const { flows } = await json<{ flows: readonly Flow[] }>("denials");
    const mallory = flows.find(({ source }) => source.name === "mallory");
    expect(mallory).toMatchObject({
      kind: "denied",
      source: { kind: "user" },
      destination: { name: "api" },
      port: 8080,
      refusedBy: "default",
      witness: "kernel of web1",
    });
    const rogue = flows.find(({ source, port }) => source.address === "10.77.0.66" && port === 8080);
    expect(rogue).toMatchObject({
      source: { kind: "none", name: null },
      wouldAllow: expect.stringMatching(/from: \[\{ cidr: 10\.77\.0\.66 \}\], to: api, ports: \[http\]/),
    });
    const text = await must(world, "hub", ["weft", "denials"]);
    expect(text).toMatch(/no identity, 10\.77\.0\.66 +api on api1 +http 8080\/tcp/);
  });

  it("denials --watch tells each within seconds", async () => {
    const watch = await world.lab.spawn("hub", ["weft", "denials", "--watch", "--json"]);
    try {
      const counted = () =>
        watch.lines.filter((line) => line.includes('"mallory"')).map((line) => JSON.parse(line) as Flow);
      const first = await until("the first word", 10_000, async () => counted().at(-1)?.count);
      await connects("web1", "10.77.0.12", 8080, "mallory");
      const began = Date.now();
      await until(
        "word of the new one",
        10_000,
        async () => (counted().at(-1)?.count ?? 0) > first || undefined,
        50,
      );
      expect(Date.now() - began).toBeLessThan(6_000);
    } finally {
      await watch.stop();
    }
  }, 60_000);

  it("flows and graph show what was used, by identity, with both witnesses", async () => {
    await callWorks(world);
    const { flows } = await json<{ flows: readonly Flow[] }>("flows");
    expect(
      flows.find(({ source, destination }) => source.name === "web" && destination.name === "api"),
    ).toMatchObject({
      kind: "allowed",
      port: 8080,
      witness: "kernels of web1 and api1",
    });
    expect(flows.some(({ source, port }) => source.name === "mallory" && port === 8080)).toBe(false);
    const graph = await must(world, "hub", ["weft", "graph"]);
    expect(graph).toMatch(/web\n {2}--> api {2}http 8080\/tcp x\d+ {2}allowed and used \(web-to-api\)/);
    expect(await must(world, "hub", ["weft", "graph", "--format", "svg"])).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  });
});
