// `weft why --prove` on real machines: a connection of its own beside the verdict, where the rules allow and refuse it, where
// nobody listens, and where something drops it that no rule of the way shows.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { bringUp, installGuest } from "../../scripts/quickstart-src/bring-up.ts";
import { callWorks } from "../../scripts/quickstart-src/proofs/services.ts";
import { joinEverybody } from "../../scripts/quickstart-src/story.ts";
import { must, type World } from "../../scripts/quickstart-src/world.ts";

const name = `proof-${process.pid}`;
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

interface Proof {
  readonly at: string | null;
  readonly user: string | null;
  readonly node: string | null;
  readonly outcome: string;
  readonly agrees: boolean | null;
  readonly sentence: string;
  readonly note: string | null;
}
interface Path {
  readonly verdict: string;
  readonly sentence: string;
  readonly proof: Proof | null;
}

/** Whatever the exit code. */
async function why(...argv: string[]): Promise<{ code: number; path: Path }> {
  const { code, stdout } = await world.lab.exec("hub", ["weft", "why", ...argv, "--json"]);
  const { paths } = JSON.parse(stdout) as { paths: readonly Path[] };
  expect(paths).toHaveLength(1);
  return { code, path: paths[0] as Path };
}

async function proved(...argv: string[]): Promise<{ code: number; path: Path; proof: Proof }> {
  const { code, path } = await why(...argv, "--prove");
  expect(path.proof).not.toBeNull();
  return { code, path, proof: path.proof as Proof };
}

describe("why --prove", () => {
  it("makes the connection as the service's user, and it is accepted where the rules allow it", async () => {
    await callWorks(world);
    const before = Date.now();
    const { code, path, proof } = await proved("web", "api", "http");
    expect([proof.sentence, proof.note]).toEqual([
      expect.stringMatching(/^a connection of user web on web1 to 10\.77\.0\.12:8080 at .* was accepted$/),
      "agrees with the rules",
    ]);
    expect(proof).toMatchObject({ user: "web", node: "web1", outcome: "accepted", agrees: true });
    expect(Math.abs(Date.parse(proof.at ?? "") - before)).toBeLessThan(60_000);
    expect([code, path.verdict]).toEqual([0, "allowed"]);
    const text = await must(world, "hub", ["weft", "why", "web", "api", "http", "--prove"]);
    expect(text).toMatch(/proved: a connection of user web on web1 .* was accepted; agrees with the rules/);
    expect((await why("web", "api", "http")).path.proof).toBeNull();
    // nothing is left of the units it was made in
    const units = await must(world, "web1", [
      "systemctl",
      "list-units",
      "--all",
      "--plain",
      "--no-legend",
      "run-*",
    ]);
    expect(units).not.toContain("weft-dial");
  }, 60_000);

  it("agrees where the rules refuse it, for a service's user and for a node", async () => {
    const service = await proved("api", "web", "http");
    expect(service.path.verdict).toBe("refused");
    expect(service.proof).toMatchObject({ user: "api", node: "api1", outcome: "refused", agrees: true });
    const root = await proved("hub", "api1", "8080");
    expect(root.path.verdict).toBe("refused");
    expect(root.proof).toMatchObject({ user: "root", node: "hub", outcome: "refused", agrees: true });
    expect([service.code, root.code]).toEqual([0, 0]);
  }, 60_000);

  it("makes none for somebody else's user, nor to what no service declares, and says so", async () => {
    for (const argv of [
      ["mallory@web1", "api", "http"],
      ["web", "api1", "22"],
    ]) {
      const { code, proof } = await proved(...argv);
      expect([code, proof]).toMatchObject([0, { at: null, outcome: "not-tried", agrees: null }]);
    }
  }, 60_000);

  it("tells a shut door from a room where nobody is: the rules let it through, nobody listens", async () => {
    await must(world, "api1", ["systemctl", "stop", "api.service"]);
    try {
      const { code, path, proof } = await proved("web", "api", "http");
      expect(path.verdict).toBe("allowed");
      expect(proof).toMatchObject({ outcome: "refused", agrees: true });
      expect(proof.note).toContain("nobody listens");
      expect(code).toBe(0);
    } finally {
      await must(world, "api1", ["systemctl", "start", "api.service"]);
    }
    await callWorks(world);
  }, 90_000);

  it("disagrees loudly when something drops it where no rule of the way is read, and leaves the verdict", async () => {
    // before the hooks that `why` judges
    await must(world, "api1", ["nft", "-f", "-"], {
      input: `table netdev edge { chain c { type filter hook ingress device "eth0" priority 0; policy accept; tcp dport 8080 drop; }; }\n`,
    });
    try {
      const { code, path, proof } = await proved("web", "api", "http");
      expect(path.verdict).toBe("allowed");
      expect(proof).toMatchObject({ outcome: "unanswered", agrees: false });
      expect(proof.note).toContain("firewall");
      expect(code).toBe(1);
      const text = await world.lab.exec("hub", ["weft", "why", "web", "api", "http", "--prove"]);
      expect(text.stdout).toMatch(/was unanswered within 2 s\n {2}DISAGREES: /);
      expect(text.code).toBe(1);
    } finally {
      await must(world, "api1", ["nft", "delete", "table", "netdev", "edge"]);
    }
    expect((await proved("web", "api", "http")).proof.agrees).toBe(true);
  }, 90_000);

  it("agrees with a table that is read: it refuses by the rules, and nothing comes back", async () => {
    await must(world, "api1", ["nft", "-f", "-"], {
      input: `table inet other { chain c { type filter hook input priority 5; policy accept; tcp dport 8080 drop; }; }\n`,
    });
    try {
      const { code, path, proof } = await proved("web", "api", "http");
      expect(path.verdict).toBe("refused");
      expect(path.sentence).toContain("inet other");
      expect(proof).toMatchObject({ outcome: "unanswered", agrees: true });
      expect(code).toBe(0);
    } finally {
      await must(world, "api1", ["nft", "delete", "table", "inet", "other"]);
    }
  }, 60_000);
});
