// Guards on machines: a change that cuts one is refused with code, place and what to do, and changes nothing; accepted, it
// goes through, and the dead-man switch still protects; a banned node inside the admin range gets nothing, and is back
// after it is unbanned. (Both families, and every hook: kernel-guards.test.ts.)
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { initHub, installMachine, invite, join } from "../../scripts/quickstart-src/bring-up.ts";
import { fleetEnforced, statusOf } from "../../scripts/quickstart-src/proofs/survival.ts";
import { must, textOf, until, type World } from "../../scripts/quickstart-src/world.ts";

const name = `guards-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };

const guard = "guard: { admin: [10.77.0.64/26, 10.77.0.0/28, 10.77.0.11], ports: [22/tcp] }\n";
const meshOf = (guards: string, more = "") => `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53], mode: "off" }
${guards}nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
services:
  api: { nodes: [hub], user: daemon, ports: { http: 8080/tcp } }
${more}policies:
  - { name: web-to-api, from: [node:web1], to: api }
`;
const good = meshOf(guard);
/** Port 22 of web1 becomes a service's that nobody may call, and is guarded no more. */
const bad = meshOf("", "  trap: { nodes: [web1], user: mallory, ports: { ssh: 22/tcp } }\n");

const socket = (port: number) => `[Socket]
ListenStream=${port}
Accept=yes
[Install]
WantedBy=sockets.target
`;
const greeter = `[Service]
ExecStart=/bin/echo SSH-2.0-none
StandardInput=socket
StandardOutput=socket
`;

let world: World;
const on = (machine: string, ...argv: [string, ...string[]]) => must(world, machine, argv);
const weft = (...argv: string[]) => world.lab.exec("hub", ["weft", ...argv], { timeoutMs: 90_000 });
const apply = async (text: string, ...flags: string[]) => {
  await world.lab.writeFile("hub", "/root/mesh.yaml", text, 0o644);
  return weft("apply", "/root/mesh.yaml", "--confirm-timeout", "4s", ...flags);
};
const reaches = async (from: string, to: "hub" | "web1", port: number) => {
  const dial = ["nc", "-z", "-w", "1", world.lab.address(to), String(port)] as const;
  return (await world.lab.exec(from, dial)).code === 0;
};
const rev = (machine: string) => on(machine, "nft", "list", "set", "inet", "weft", "rev");
const nodeOf = async (node: string) => (await statusOf(world)).find((item) => item.name === node);

async function listen(machine: string, port: number): Promise<void> {
  const folder = "/etc/systemd/system";
  await world.lab.writeFile(machine, `${folder}/greet${port}.socket`, socket(port), 0o644);
  await world.lab.writeFile(machine, `${folder}/greet${port}@.service`, greeter, 0o644);
  await on(machine, "systemctl", "enable", "--now", "-q", `greet${port}.socket`);
}

beforeAll(async () => {
  await labUp(labNames(name), 0, progress);
  world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  await Promise.all([installMachine(world, "hub", "coordinator"), installMachine(world, "web1", "agent")]);
  await initHub(world);
  await Promise.all([listen("hub", 22), listen("hub", 8080), listen("web1", 22)]);
  const first = await apply(good, "--wait");
  expect({ code: first.code, text: textOf(first) }).toMatchObject({ code: 0 });
  await join(world, "web1", await invite(world, "web1"));
  await fleetEnforced(world, ["hub", "web1"]);
}, 300_000);

afterAll(async () => {
  await labDown(labNames(name), progress);
}, 60_000);

describe("a change that cuts a guard flow", () => {
  it("is planned with its risks, refused with exit 3, and changes nothing", async () => {
    const before = [await rev("hub"), await rev("web1"), (await weft("history")).stdout];
    await world.lab.writeFile("hub", "/root/mesh.yaml", bad, 0o644);
    const plan = await weft("plan", "/root/mesh.yaml");
    expect(plan.stdout).toContain("--accept-risk GUARD-ADMIN --accept-risk GUARD-PORT");
    for (const flags of [[], ["--accept-risk", "GUARD-PORT"]]) {
      const refused = await apply(bad, "--wait", ...flags);
      expect(refused.code).toBe(3);
      expect(refused.stderr).toMatch(
        /^GUARD-ADMIN 10\.77\.0\.0\/28 is no admin range any more.*22\/tcp.*\(on hub, web1\)\n {2}Do: leave the range/m,
      );
      expect(refused.stderr).toMatch(/\(.*GUARD-ADMIN.*\); nothing was changed \(WEFT-E101\)$/m);
    }
    const misspelt = await apply(bad, "--accept-risk", "GUARD-PROT");
    expect([misspelt.code, misspelt.stderr]).toEqual([
      2,
      expect.stringContaining("did you mean GUARD-PORT?"),
    ]);
    expect([await rev("hub"), await rev("web1"), (await weft("history")).stdout]).toEqual(before);

    const onGuard = meshOf(guard, "  trap: { nodes: [web1], user: mallory, ports: { ssh: 22/tcp } }\n");
    const place = await apply(onGuard);
    expect([place.code, place.stderr]).toEqual([
      3,
      expect.stringMatching(
        /^GUARD-PORT mesh\.yaml:11: trap takes 22\/tcp|^GUARD-PORT .*mesh\.yaml:11: trap takes 22\/tcp/m,
      ),
    ]);
    const moved = await apply(good.replace("web1: { address: 10.77.0.11 }", "web1: { address: 10.77.0.12 }"));
    expect([moved.code, moved.stderr]).toEqual([
      3,
      expect.stringMatching(/^GUARD-NODE .*moves from 10\.77\.0\.11 to 10\.77\.0\.12/m),
    ]);
  }, 120_000);

  it("goes through when it is accepted, is kept in the history, and still undoes itself", async () => {
    // the kernels remember that the coordinator was at port 22, so it is a flip, too
    const meant = ["GUARD-ADMIN", "GUARD-PORT", "FLIP-GUARD"].flatMap((code) => ["--accept-risk", code]);
    const accepted = await apply(bad, "--wait", "--reason", "on purpose", ...meant);
    expect(accepted.stdout).toMatch(/accepted GUARD-ADMIN: /);
    expect(textOf(accepted)).toContain("REVERTED: web1");
    expect(await reaches("rogue", "web1", 22)).toBe(true);
    expect((await weft("history", "--json")).stdout).toMatch(
      /on purpose \(accepted risks: (FLIP-GUARD, )?GUARD-ADMIN, GUARD-PORT\)/,
    );
    const back = await apply(good, "--wait", "--accept-risk", "GUARD-HUB");
    expect(back.stdout).toContain("remark: --accept-risk GUARD-HUB was not needed");
    expect(back.stdout).toContain("in force everywhere");
  }, 120_000);
});

describe("a banned node inside the admin range, and named by itself", () => {
  const ports = [22, 7443, 7444, 8080];
  const open = async (from: string) => {
    const found = await Promise.all(ports.map((port) => reaches(from, "hub", port)));
    return ports.filter((_, index) => found[index]);
  };

  it("is refused on every port by the other kernels, and is back after it is unbanned", async () => {
    expect(await open("web1")).toEqual(ports);
    // its own kernel is the attacker's
    const ban = await weft("node", "ban", "web1", "--reason", "stolen");
    expect({ code: ban.code, err: ban.stderr }).toEqual({ code: 0, err: "" });
    expect(ban.stdout).toMatch(
      /nothing passes from or to 10\.77\.0\.11\n[\s\S]*carried by the kernels of hub \(/,
    );
    await on("web1", "nft", "delete", "table", "inet", "weft");
    expect(await open("web1")).toEqual([]);
    expect(await reaches("hub", "web1", 22)).toBe(false);
    expect(await open("rogue")).toEqual([22, 7444]);
    expect((await nodeOf("web1"))?.state).toBe("Banned");
    const again = await apply(good, "--wait");
    expect(again.code).toBe(0);
    expect(await open("web1")).toEqual([]);

    const unban = await weft("node", "unban", "web1");
    expect(unban.stdout).toContain("carried by the kernels of hub");
    expect(await reaches("web1", "hub", 22)).toBe(true);
    await until("web1 is back", 120_000, async () => {
      const node = await nodeOf("web1");
      return node?.state === "Online" && node.revision.verdict === "ENFORCED" ? true : undefined;
    });
    expect(await open("web1")).toEqual(ports);
  }, 240_000);
});
