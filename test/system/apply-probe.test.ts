// `weft apply --wait --probe` on real machines: real connections for what a change has turned, where all agrees, where
// nobody listens, and where something refuses it that Weft's rules do not.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { applyMesh, bringUp, installGuest } from "../../scripts/quickstart-src/bring-up.ts";
import { meshGuestRefused, meshWithGuest } from "../../scripts/quickstart-src/demo-mesh.ts";
import { callWorks } from "../../scripts/quickstart-src/proofs/services.ts";
import { joinEverybody } from "../../scripts/quickstart-src/story.ts";
import { must, type World } from "../../scripts/quickstart-src/world.ts";

const name = `probe-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
let world: World;

beforeAll(async () => {
  await labUp(labNames(name), 1, progress);
  world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  await installGuest(world);
  await bringUp(world);
  await joinEverybody(world);
  // api listens
  await callWorks(world);
}, 300_000);
afterAll(async () => {
  await labDown(labNames(name), progress);
}, 60_000);

/** Whatever the exit code. */
async function apply(text: string, ...flags: string[]) {
  await world.lab.writeFile("hub", "/root/mesh.yaml", text, 0o644);
  const argv = ["weft", "apply", "/root/mesh.yaml", ...flags] as const;
  const { code, stdout, stderr } = await world.lab.exec("hub", argv, { timeoutMs: 120_000 });
  return { code, out: stdout, err: stderr };
}
const probed = (text: string, ...flags: string[]) => apply(text, "--wait", "--probe", ...flags);

const dropped = 'filter hook ingress device "eth0" priority 0; policy accept; tcp dport 8080 drop;';

/** While it lasts, guest was refused before and is allowed now. */
async function whileLoaded(family: string, chain: string, use: () => Promise<void>): Promise<void> {
  await applyMesh(world, meshGuestRefused, "guest may not call api");
  await must(world, "api1", ["nft", "-f", "-"], {
    input: `table ${family} edge { chain c { type ${chain} }; }\n`,
  });
  try {
    await use();
  } finally {
    await must(world, "api1", ["nft", "delete", "table", family, "edge"]);
  }
}

describe("apply --wait --probe", () => {
  it("proves what a change refuses newly, and what it allows newly", async () => {
    const removed = await probed(meshGuestRefused);
    process.stderr.write(`${removed.out}\n`);
    expect(removed.out).toContain("probing 1 TCP flow between services that the change turns\n");
    expect(removed.out).toMatch(
      /^probe: guest -> api http 8080\/tcp: refused by the rules, refused; agrees$/m,
    );
    expect(removed.out).toMatch(/^probe: 1 agree, 0 DISAGREE, 0 not proved$/m);
    expect(removed.code).toBe(0);
    const added = await probed(meshWithGuest);
    expect(added.out).toMatch(
      /^probe: guest -> api http 8080\/tcp: allowed by the rules, accepted; agrees$/m,
    );
    expect(added.code).toBe(0);
  }, 180_000);

  it("probes one flow for each policy where the change turns none", async () => {
    const { code, out } = await probed(`# the same\n${meshWithGuest}`);
    expect(out).toContain("the change turns no TCP flow between services: probing 2 that the mesh allows");
    expect(out).toMatch(/^probe: guest -> api http 8080\/tcp: allowed by the rules, accepted; agrees$/m);
    expect(out).toMatch(/^probe: web -> api http 8080\/tcp: allowed by the rules, accepted; agrees$/m);
    expect(code).toBe(0);
  }, 120_000);

  it("disagrees where something drops what the rules allow, out of their sight; the change stays", async () => {
    await whileLoaded("netdev", dropped, async () => {
      const { code, out, err } = await probed(meshWithGuest, "--json");
      const { done, revision, probe } = JSON.parse(out);
      expect([code, done, err]).toEqual([1, true, ""]);
      expect(probe).toMatchObject({
        basis: "turned",
        revisionBefore: revision - 1,
        agree: 0,
        disagree: 1,
        notProved: 0,
        flows: [
          {
            from: "guest",
            fromNode: "n1",
            to: "api",
            toNode: "api1",
            port: 8080,
            meant: "allowed",
            rules: "allowed",
            result: "disagrees",
            proof: { user: "guest", node: "n1", outcome: "unanswered", agrees: false },
          },
        ],
      });
      // the same once more: nothing is turned, and both ways to api are shut
      const again = await probed(meshWithGuest);
      expect(again.out).toMatch(
        /^probe: guest -> api http 8080\/tcp: allowed by the rules, unanswered; DISAGREES \(n1 -> api1\): .*firewall/m,
      );
      expect(again.out).toMatch(/^probe: 0 agree, 2 DISAGREE, 0 not proved$/m);
      expect(again.err).toContain("the change is in force, and nothing was taken back");
      expect(again.err).toContain("weft why guest api 8080 --prove");
      expect(again.code).toBe(1);
    });
    expect((await probed(meshWithGuest)).code).toBe(0);
  }, 240_000);

  it("disagrees where another table refuses what the mesh allows, and names it; the hint goes back", async () => {
    await whileLoaded(
      "inet",
      "filter hook input priority 5; policy accept; tcp dport 8080 drop;",
      async () => {
        const { code, out, err } = await probed(meshWithGuest);
        expect(out).toMatch(
          /^probe: guest -> api http 8080\/tcp: refused by the rules, unanswered; DISAGREES \(n1 -> api1\): the mesh allows it, .*inet edge/m,
        );
        expect(err).toMatch(/`weft rollback \d+` takes the change back/);
        expect(code).toBe(1);
      },
    );
  }, 180_000);

  it("proves nothing by a port where nobody listens", async () => {
    await must(world, "api1", ["systemctl", "stop", "api.service"]);
    try {
      for (const text of [meshGuestRefused, meshWithGuest]) {
        const { code, out } = await probed(text);
        expect(out).toMatch(
          /^probe: guest -> api http 8080\/tcp: not proved: nobody listens on 8080\/tcp of api1/m,
        );
        expect(out).toMatch(/^probe: 0 agree, 0 DISAGREE, 1 not proved$/m);
        expect(code).toBe(0);
      }
    } finally {
      await must(world, "api1", ["systemctl", "start", "api.service"]);
    }
    await callWorks(world);
  }, 180_000);

  it("is not made where the change did not come into force, nor without --wait", async () => {
    const without = await apply(meshGuestRefused, "--probe");
    expect(without.code).toBe(2);
    expect(without.err).toContain("--probe needs --wait");
    await must(world, "n1", ["systemctl", "stop", "weft-node-agent"]);
    try {
      const { code, out, err } = await probed(meshGuestRefused, "--timeout", "5");
      expect(err).toMatch(/^no probe was made: revision \d+ is not in force everywhere$/m);
      expect(`${out}${err}`).not.toContain("probe:");
      expect(code).toBe(5);
    } finally {
      await must(world, "n1", ["systemctl", "start", "weft-node-agent"]);
    }
  }, 120_000);
});
