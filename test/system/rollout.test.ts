// Rollouts on machines: canary and waves, a change that cuts its canary off and reaches nobody else, a coordinator killed
// in the middle, rollback, and what apply --wait says of the slow, the frozen and the absent.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parseScriptHeader } from "../../packages/shared/src/render/nftables-script-header.ts";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { initHub, installMachine, invite, join } from "../../scripts/quickstart-src/bring-up.ts";
import { fleetEnforced } from "../../scripts/quickstart-src/proofs/survival.ts";
import { must, textOf, until, type World } from "../../scripts/quickstart-src/world.ts";

const name = `rollout-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
const nodes = ["hub", "web1", "api1", "n1"];

const head = (guard: string, rollout: string) => `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53], mode: "off" }
${guard}${rollout}nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
  n1: { address: 10.77.0.101 }
services:
`;
const guarded = "guard: { admin: [10.77.0.66/32], ports: [22/tcp] }\n";
const inWaves = "rollout: { canary: [web1], wave: 1 }\n";
/** Concerns every node: each knows every port of the mesh. */
const good = (port: number, rollout = inWaves) =>
  `${head(guarded, rollout)}  web: { nodes: [web1], user: web, ports: { http: ${port}/tcp } }\n`;
/** Closes the canary's guard port. */
const bad = `${head("", inWaves)}  trap: { nodes: [web1], user: mallory, ports: { ssh: 22/tcp } }\n`;
const meant = ["--accept-risk", "GUARD-ADMIN", "--accept-risk", "GUARD-PORT"];

const sshUnit = "[Socket]\nListenStream=22\nAccept=yes\n[Install]\nWantedBy=sockets.target\n";
const sshService =
  "[Service]\nExecStart=/bin/echo SSH-2.0-none\nStandardInput=socket\nStandardOutput=socket\n";

let world: World;
const on = (machine: string, ...argv: [string, ...string[]]) => must(world, machine, argv);
const weft = (...argv: string[]) => world.lab.exec("hub", ["weft", ...argv]);

async function apply(text: string, ...flags: string[]): Promise<{ code: number; text: string }> {
  await world.lab.writeFile("hub", "/root/mesh.yaml", text, 0o644);
  const outcome = await weft("apply", "/root/mesh.yaml", ...flags);
  return { code: outcome.code ?? -1, text: textOf(outcome) };
}

/** What judges on a machine, by its kernel and its disk. */
async function carried(machine: string): Promise<string> {
  const kernel = /digest=(\w+)/.exec(await on(machine, "nft", "list", "set", "inet", "weft", "rev"))?.[1];
  const disk = parseScriptHeader(await on(machine, "cat", "/var/lib/weft/policy/confirmed.nft"))?.digest;
  expect(kernel).toBe(disk);
  return kernel ?? "";
}
const allCarried = () => Promise.all(nodes.map(carried));

interface Shown {
  readonly revision: number;
  readonly rollout: Record<string, unknown> | null;
  readonly nodes: readonly {
    readonly name: string;
    readonly state: string;
    readonly revision: { verdict: string; wanted: number };
  }[];
}
const status = async () => JSON.parse(textOf(await weft("status", "--json"))) as Shown;
const heardOf = async (machine: string, revision: number) =>
  (await on(machine, "journalctl", "-u", "weft-node-agent", "-o", "cat")).includes(`(revision ${revision})`);

beforeAll(async () => {
  await labUp(labNames(name), 1, progress);
  world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  await Promise.all(
    nodes.map((node) => installMachine(world, node, node === "hub" ? "coordinator" : "agent")),
  );
  await initHub(world);
  await world.lab.writeFile("web1", "/etc/systemd/system/ssh22.socket", sshUnit, 0o644);
  await world.lab.writeFile("web1", "/etc/systemd/system/ssh22@.service", sshService, 0o644);
  await on("web1", "systemctl", "enable", "--now", "-q", "ssh22.socket");
  expect((await apply(good(8080), "--wait")).text).toContain("revision 2 accepted");
  for (const node of nodes.slice(1)) await join(world, node, await invite(world, node));
  await fleetEnforced(world, nodes);
}, 300_000);

afterAll(async () => {
  await labDown(labNames(name), progress);
}, 60_000);

describe("a rollout on machines", () => {
  it("goes to the canary, then wave after wave, and says when each kernel carried it", async () => {
    const before = await allCarried();
    const { code, text } = await apply(good(8081), "--wait", "--reason", "a good one");
    process.stderr.write(`${text}\n`);
    expect(code).toBe(0);
    const order = [...text.matchAll(/^wave (\d) of 4.*: (\w+)$/gm)].map(
      ([, number, node]) => `${number} ${node}`,
    );
    expect(order).toEqual(["1 web1", "2 api1", "3 n1", "4 hub"]);
    for (const node of nodes)
      expect(text).toMatch(
        new RegExp(`  ${node} enforced after .*kernel of ${node}, at [0-9:.]+Z by its clock`),
      );
    expect(text).toMatch(/by the coordinator's clock: p50 .*, p99 .*, max /);
    expect(text).toContain("in force everywhere");
    const after = await allCarried();
    for (const [index, digest] of after.entries()) expect(digest).not.toBe(before[index]);
  }, 120_000);

  it("that cuts its canary off reaches nobody else, and the canary holds what it had", async () => {
    const before = await allCarried();
    const { code, text } = await apply(bad, "--wait", "--confirm-timeout", "6s", ...meant);
    process.stderr.write(`${text}\n`);
    expect(code).toBe(1);
    expect(text).toMatch(/STOPPED: web1 REVERTED: /);
    const { revision, rollout } = await status();
    const stopped = revision - 1;
    expect(rollout).toMatchObject({ state: "stopped", revision: stopped, takenBackAs: revision, given: 1 });
    expect(text).toContain(`in force again, as revision ${revision}`);
    expect(await allCarried()).toEqual(before);
    for (const node of ["api1", "n1", "hub"]) expect(await heardOf(node, stopped)).toBe(false);
    expect(await heardOf("web1", stopped)).toBe(true);
    expect(
      (await world.lab.exec("rogue", ["nc", "-z", "-w", "2", world.lab.address("web1"), "22"])).code,
    ).toBe(0);
    const told = textOf(await weft("history", `${stopped}`, "--diff"));
    expect(told).toMatch(/outcome {3}stopped: web1 REVERTED: .*taken back as revision/);
    expect(told).toContain("+  trap: { nodes: [web1]");
    expect(told).toContain("accepted risks: GUARD-ADMIN, GUARD-PORT");
    expect(textOf(await weft("rollback", `${stopped}`))).toContain("was stopped");
    for (const { revision: shown } of (await status()).nodes) expect(shown.verdict).toBe("ENFORCED");
  }, 120_000);

  it("goes on with a coordinator that was killed in the middle of it", async () => {
    await on("api1", "systemctl", "kill", "-s", "STOP", "weft-node-agent");
    await apply(good(8082));
    const { revision } = await until("the second wave", 60_000, async () => {
      const shown = await status();
      return shown.rollout?.["wave"] === 2 ? shown : undefined;
    });
    expect((await status()).rollout).toMatchObject({ state: "running", waitingFor: ["api1"], waves: 4 });
    expect(textOf(await weft("status"))).toContain("wave 2 of 4");
    await on("hub", "systemctl", "kill", "-s", "KILL", "weft-coordinator");
    await until("the coordinator is back", 60_000, async () =>
      (await weft("status")).code === 0 ? true : undefined,
    );
    expect((await status()).rollout).toMatchObject({ state: "running", revision, wave: 2 });
    expect(await heardOf("n1", revision)).toBe(false);
    await on("api1", "systemctl", "kill", "-s", "CONT", "weft-node-agent");
    await until("the end of the rollout", 120_000, async () => {
      const shown = await status();
      const isOver =
        shown.rollout === null && shown.nodes.every((node) => node.revision.verdict === "ENFORCED");
      if (!isOver) throw new Error(JSON.stringify(shown));
      return true;
    });
    for (const node of nodes) expect(await heardOf(node, revision)).toBe(true);
  }, 240_000);

  it("is rolled back by number, as a new revision", async () => {
    const { revision } = await status();
    const told = await weft("rollback", "2", "--wait", "--reason", "drill");
    const text = textOf(told);
    process.stderr.write(`${text}\n`);
    expect(told.code).toBe(0);
    expect(text).toContain(`revision ${revision + 1} accepted`);
    expect(text).toContain("wave 1 of 4 (canary): web1");
    const history = textOf(await weft("history"));
    process.stderr.write(`${history}\n`);
    expect(history).toMatch(new RegExp(`^${revision + 1} .*in force.*rollback to 2: drill`, "m"));
    expect(history).toMatch(new RegExp(`^${revision} .*rolled back`, "m"));
    expect(textOf(await weft("history", `${revision + 1}`))).toContain("files of  revision 2");
  }, 120_000);

  it("tells the frozen from the absent", async () => {
    await on("api1", "systemctl", "stop", "weft-node-agent");
    await until("api1 is gone", 40_000, async () =>
      (await status()).nodes.some(({ name: node, state }) => node === "api1" && state === "Late")
        ? true
        : undefined,
    );
    // right before: a frozen one is hung up on after a while, and is absent then
    await on("n1", "systemctl", "kill", "-s", "STOP", "weft-node-agent");
    const { code, text } = await apply(good(8083, ""), "--wait", "--timeout", "15");
    process.stderr.write(`${text}\n`);
    expect(code).toBe(5);
    expect(text).toMatch(/^frozen: n1:/m);
    expect(text).toMatch(/^absent: api1:/m);
    await on("n1", "systemctl", "kill", "-s", "CONT", "weft-node-agent");
    await on("api1", "systemctl", "start", "weft-node-agent");
    await fleetEnforced(world, nodes);
  }, 180_000);
});
