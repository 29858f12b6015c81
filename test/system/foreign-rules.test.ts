// Weft beside the real firewalls of Debian: ufw, netfilter-persistent (with rules as Docker and libvirt write them),
// firewalld and nftables.service. At boot, and after each restart, reload and stop of them, Weft's table stands, by the
// order of units or by the agent's repair; their rules are never touched; and each is told with what it may do.
import { loadavg } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { applyMesh, initHub, installMachine, invite, join } from "../../scripts/quickstart-src/bring-up.ts";
import { fleetEnforced } from "../../scripts/quickstart-src/proofs/survival.ts";
import { must, textOf, until, type World } from "../../scripts/quickstart-src/world.ts";
import { installDebian } from "../support/debian-packages.ts";
import { dockerRules, libvirtRules, nftablesConf } from "../support/foreign-rules.ts";

const name = `foreign-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };

interface Beside {
  readonly machine: string;
  readonly unit: string;
  readonly packages: readonly string[];
  readonly setup: string;
  /** Whose they are told to be. */
  readonly makers: readonly string[];
  /** Its stop takes Weft's table along when nobody helps. */
  readonly flushes: boolean;
}

const ufw: Beside = {
  machine: "web1",
  unit: "ufw.service",
  packages: ["ufw"],
  setup: "ufw allow 22/tcp && ufw allow 8080/tcp && ufw --force enable && systemctl enable -q ufw",
  makers: ["ufw, by iptables-nft"],
  flushes: false,
};
const persistent: Beside = {
  machine: "api1",
  unit: "netfilter-persistent.service",
  packages: ["netfilter-persistent", "iptables-persistent"],
  setup: `${dockerRules}${libvirtRules}
netfilter-persistent save
echo FLUSH_ON_STOP=1 >> /etc/default/netfilter-persistent
systemctl enable -q netfilter-persistent; systemctl restart netfilter-persistent`,
  makers: ["Docker and libvirt, by iptables-nft", "libvirt, by iptables-nft"],
  flushes: false,
};
const firewalld: Beside = {
  machine: "n1",
  unit: "firewalld.service",
  packages: ["firewalld", "netbase"],
  setup: `firewall-offline-cmd --add-port=8080/tcp --add-port=22/tcp
systemctl enable -q firewalld; systemctl restart firewalld`,
  makers: ["firewalld"],
  flushes: false,
};
const nftables: Beside = {
  machine: "n2",
  unit: "nftables.service",
  // names of protocols: a rule set of Debian's own uses them
  packages: ["netbase"],
  setup: `cat > /etc/nftables.conf <<'EOF'
${nftablesConf}EOF
systemctl enable -q nftables; systemctl restart nftables`,
  makers: [""],
  flushes: true,
};
const all = [ufw, persistent, firewalld, nftables];
const machines = all.map(({ machine }) => machine);

let world: World;
const on = (machine: string, ...argv: [string, ...string[]]) =>
  must(world, machine, argv, { timeoutMs: 120_000 });
const shell = (machine: string, script: string) => on(machine, "sh", "-c", script);

const mesh = () => `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53], mode: "off" }
nodes:
  hub: { address: 10.77.0.10 }
${machines.map((machine) => `  ${machine}: { address: ${world.lab.address(machine)} }\n`).join("")}services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
`;

/** Every table but Weft's, without what packets count. */
async function foreign(machine: string): Promise<string> {
  const tables = (await on(machine, "nft", "list", "tables")).split("\n").filter((line) => line !== "");
  const others = tables.filter((line) => !/^table inet weft(-witness)?$/.test(line)).sort();
  return (await Promise.all(others.map((line) => shell(machine, `nft -s list ${line}`)))).join("");
}

const before = new Map<string, string>();
async function untouched(machine: string): Promise<void> {
  let now = "";
  await until(`${machine} has the rules of others as before`, 20_000, async () => {
    now = await foreign(machine);
    return now === before.get(machine) ? true : undefined;
  }).catch(() => expect(now).toBe(before.get(machine)));
}

const stands = "nft list chain inet weft input 2>/dev/null | grep -q goto";

/** Runs a script and tells how many ms after its end Weft's chain chooses a policy. */
async function standsAfter(machine: string, script: string): Promise<number> {
  const text = await shell(
    machine,
    `${script}
began=$(date +%s%3N)
until ${stands}; do [ $(($(date +%s%3N) - began)) -lt 20000 ] || exit 9; done
echo "took $(($(date +%s%3N) - began))"`,
  );
  return Number(/took (\d+)/.exec(text)?.[1]);
}

interface Doctor {
  readonly well: boolean;
  readonly findings: readonly {
    readonly check: string;
    readonly standing: string;
    readonly what: string;
    readonly why: string;
  }[];
}

async function doctor(machine: string): Promise<Doctor> {
  const { stdout } = await world.lab.exec(machine, ["weft-node-agent", "doctor", "--json"]);
  return JSON.parse(stdout) as Doctor;
}

async function enteredAt(machine: string, unit: string): Promise<number> {
  const property = "ActiveEnterTimestampMonotonic";
  return Number((await on(machine, "systemctl", "show", "-p", property, "--value", unit)).trim());
}

const joined = new Map<string, string>();

beforeAll(async () => {
  await labUp(labNames(name), 2, progress);
  world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  await Promise.all([
    installMachine(world, "hub", "coordinator"),
    ...all.map(async ({ machine, packages, setup }) => {
      await installDebian(world, machine, packages);
      await shell(machine, setup);
      await installMachine(world, machine, "agent");
    }),
  ]);
  for (const machine of machines) before.set(machine, await foreign(machine));
  await initHub(world);
  await applyMesh(world, mesh(), "beside firewalls");
  for (const machine of machines)
    joined.set(machine, await join(world, machine, await invite(world, machine)));
  await fleetEnforced(world, ["hub", ...machines]);
}, 900_000);

afterAll(async () => {
  await labDown(labNames(name), progress);
}, 120_000);

describe.each(all)("beside $unit", ({ machine, unit, makers, flushes }) => {
  it("joins, tells of it first, and leaves its rules as they are", async () => {
    expect(before.get(machine)).not.toBe("");
    await untouched(machine);
    expect(joined.get(machine)).toMatch(/beside Weft: table .*policy/);
  });

  it("has doctor and node show tell whose it is and what it may do", async () => {
    const { findings } = await doctor(machine);
    const told = findings.filter(({ check }) => check === "beside");
    for (const maker of makers)
      expect(
        told.some(({ what }) => (maker === "" ? /policy drop\)$/.test(what) : what.includes(`; ${maker})`))),
      ).toBe(true);
    expect(told.some(({ why }) => /a drop anywhere is final/.test(why))).toBe(true);
    expect(findings.filter(({ standing }) => standing === "trouble")).toEqual([]);
    const shown = textOf(await world.lab.exec("hub", ["weft", "node", "show", machine]));
    expect(shown).toMatch(/beside Weft +table .*a drop anywhere is final/);
  });

  it("comes up after it at every boot, and before the network", async () => {
    await world.lab.reboot(machine);
    await shell(machine, stands);
    const [theirs, ours, network] = [
      await enteredAt(machine, unit),
      await enteredAt(machine, "weft-restore.service"),
      await enteredAt(machine, "network-pre.target"),
    ];
    process.stderr.write(
      `${unit}: ${theirs} us, weft-restore ${ours} us, network-pre ${network} us after the start\n`,
    );
    expect(theirs).toBeGreaterThan(0);
    expect(ours).toBeGreaterThanOrEqual(theirs);
    expect(network).toBeGreaterThanOrEqual(ours);
    await untouched(machine);
    const { stdout } = await world.lab.exec(machine, [
      "journalctl",
      "-b",
      "-u",
      "weft-node-agent",
      "-o",
      "cat",
    ]);
    expect(stdout).not.toContain("put back");
  }, 120_000);

  it("stands after its restart and reload by the order of units alone, with the agent dead", async () => {
    await on(machine, "systemctl", "stop", "weft-node-agent");
    await on(machine, "systemctl", "start", "weft-restore");
    const canReload =
      (await on(machine, "systemctl", "show", "-p", "CanReload", "--value", unit)).trim() === "yes";
    const took = [await standsAfter(machine, `systemctl restart ${unit}`)];
    if (canReload) took.push(await standsAfter(machine, `systemctl reload ${unit}`));
    process.stderr.write(
      `${unit}: stands ${took.join(" and ")} ms after restart${canReload ? " and reload" : " (it cannot reload)"}, load ${(loadavg()[0] ?? 0).toFixed(1)}\n`,
    );
    expect(Math.max(...took)).toBeLessThan(1_000);
    await untouched(machine);
    // what the agent is for: a stop that flushes has nothing to come after
    await on(machine, "systemctl", "stop", unit);
    const { code } = await world.lab.exec(machine, ["sh", "-c", stands]);
    expect(code === 0).toBe(!flushes);
    // its start has ours run after it, by the units again
    expect(await standsAfter(machine, `systemctl start ${unit}`)).toBeLessThan(1_000);
    await on(machine, "systemctl", "start", "weft-node-agent");
  }, 120_000);

  it("stands after its stop by the agent's repair, and its own end leaves nothing of ours behind it", async () => {
    await until("the agent", 30_000, async () => ((await doctor(machine)).well ? true : undefined));
    const took = await standsAfter(machine, `systemctl stop ${unit}`);
    process.stderr.write(`${unit}: stands ${took} ms after stop, load ${(loadavg()[0] ?? 0).toFixed(1)}\n`);
    expect(took).toBeLessThan(1_000);
    await standsAfter(machine, `systemctl start ${unit}`);
    // firewalld answers before it has written its rules
    await untouched(machine);
    await until(
      "rules as confirmed",
      10_000,
      async () =>
        (await doctor(machine)).findings.some(
          ({ check, standing }) => check === "rules" && standing === "good",
        ) || undefined,
    );
  }, 120_000);
});

describe("a chain that demonstrably refuses", () => {
  it("the agent's own link is trouble, a condition here and at the coordinator", async () => {
    await shell(
      "n2",
      "nft 'add table inet trap; add chain inet trap out { type filter hook output priority 5; }; add rule inet trap out ip daddr 10.77.0.10 tcp dport 7443 counter drop'",
    );
    const { well, findings } = await doctor("n2");
    expect(well).toBe(false);
    expect(findings.find(({ standing }) => standing === "trouble")?.what).toMatch(
      /table inet trap, chain out refuses the agent's own link/,
    );
    await until("the condition", 60_000, async () =>
      (await on("n2", "weft-node-agent", "status")).includes("FOREIGN_REFUSES") ? true : undefined,
    );
    await on("n2", "nft", "delete", "table", "inet", "trap");
  }, 90_000);
});
