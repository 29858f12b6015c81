// A real coordinator, taken to be stolen, against the floor of one machine: what it sends beyond it is refused by line,
// the rest is in force, and real connections and real names meet what the floor says.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { initHub, installMachine, invite, join } from "../../scripts/quickstart-src/bring-up.ts";
import { fleetEnforced } from "../../scripts/quickstart-src/proofs/survival.ts";
import { must, textOf, until, type World } from "../../scripts/quickstart-src/world.ts";

const name = `floor-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
const floorPath = "/etc/weft/floor.yaml";

const floor = `weft-floor: v1
nodes: [10.77.0.0/26]
ingress:
  never: [5432/tcp]
  judged: [8080/tcp]
  from: [10.77.0.0/26]
guard: { admin: [10.77.0.10, 10.77.0.66], ports: [22/tcp] }
dns: { zones: [mesh.internal] }
mode: enforce
`;

const head = (zone: string, mode: string) => `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: ${zone}, upstreams: [10.77.0.53] }
defaults: { mode: ${mode} }
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11, dns: { mode: file } }
`;
const services = `services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
`;
const good = `${head("mesh.internal", "enforce")}${services}policies:
  - { name: hub-to-web, from: [node:hub], to: web }
`;
/** Everything a thief would want: his own way in, a look at the database, nobody let in to stop it, all in audit. */
const stolen = `${head("mesh.internal", "audit")}${services}  db: { nodes: [web1], user: mallory, ports: { pg: 5432/tcp } }
  trap: { nodes: [web1], user: api, ports: { ssh: 22/tcp } }
policies:
  - { name: hub-to-web, from: [node:hub], to: web }
  - { name: my-way-in, from: [{ cidr: 10.77.0.66/32 }], to: web }
  - { name: the-data, from: [{ cidr: 0.0.0.0/0 }], to: db }
`;
/** Or simply nothing: what no mesh claims is as open as the machine leaves it. */
const emptied = head("mesh.internal", "enforce");

const listeners = `[Unit]
DefaultDependencies=no
[Socket]
ListenStream=22
ListenStream=5432
ListenStream=8080
Accept=yes
[Install]
WantedBy=sysinit.target
`;
const listener = `[Service]
ExecStart=/bin/echo here
StandardInput=socket
StandardOutput=socket
`;

let world: World;
const on = (machine: string, ...argv: [string, ...string[]]) => must(world, machine, argv);

async function apply(text: string): Promise<string> {
  await world.lab.writeFile("hub", "/root/mesh.yaml", text, 0o644);
  return textOf(
    await world.lab.exec("hub", ["weft", "apply", "/root/mesh.yaml", "--wait"], { timeoutMs: 90_000 }),
  );
}

async function reaches(machine: string, port: number): Promise<boolean> {
  const address = world.lab.address("web1");
  return (await world.lab.exec(machine, ["nc", "-z", "-w", "2", address, String(port)])).code === 0;
}

/** Who reaches what on web1, by real connections. */
async function reached(): Promise<string> {
  const asked = ["rogue", "hub"].flatMap((machine) =>
    [22, 5432, 8080].map((port) => [machine, port] as const),
  );
  const seen = await Promise.all(
    asked.map(async ([machine, port]) => ((await reaches(machine, port)) ? `${machine}:${port}` : "")),
  );
  return seen.filter((text) => text !== "").join(" ");
}

interface Shown {
  readonly conditions: readonly { readonly code: string; readonly detail: string }[];
  readonly floor: {
    readonly state: string;
    readonly refusals: readonly { readonly line: number; readonly policy: string }[];
  };
  readonly dns: { readonly state: string };
  readonly revision: { readonly verdict: string };
}

async function shown(): Promise<Shown> {
  return JSON.parse(await on("hub", "weft", "status", "web1", "--json")) as Shown;
}

/** Waits until web1 says it, or says it no more. */
async function says(code: string, stands = true): Promise<Shown> {
  return until(`${code} ${stands ? "stands" : "is over"}`, 40_000, async () => {
    const now = await shown();
    return now.conditions.some((condition) => condition.code === code) === stands ? now : undefined;
  });
}

const rulesOf = async () => (await on("web1", "nft", "list", "set", "inet", "weft", "rev")).trim();
const writeFloor = (text: string) => world.lab.writeFile("web1", floorPath, text, 0o644);

beforeAll(async () => {
  await labUp(labNames(name), 0, progress);
  world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  await Promise.all([installMachine(world, "hub", "coordinator"), installMachine(world, "web1", "agent")]);
  await initHub(world);
  await world.lab.writeFile("web1", "/etc/systemd/system/there.socket", listeners, 0o644);
  await world.lab.writeFile("web1", "/etc/systemd/system/there@.service", listener, 0o644);
  await on("web1", "systemctl", "enable", "--now", "-q", "there.socket");
  await writeFloor(floor);
  expect(await apply(good)).toContain("in force everywhere");
  await join(world, "web1", await invite(world, "web1"));
  await fleetEnforced(world, ["hub", "web1"]);
}, 240_000);

afterAll(async () => {
  await labDown(labNames(name), progress);
}, 60_000);

describe("a floor", () => {
  it("is silent about what lies within it", async () => {
    expect(await shown()).toMatchObject({ floor: { state: "in-force", refusals: [] } });
    expect(await reached()).toBe("rogue:22 hub:22 hub:8080");
    expect(await on("web1", "weft-node-agent", "floor", "check")).toContain("refuses nothing");
  });

  it("refuses a stolen coordinator by line, and the rest is in force", async () => {
    const said = await apply(stolen);
    expect(said).toMatch(/web1 enforced after .*its floor refused \d+: floor\.yaml:/);
    const { revision, floor: told } = await says("FLOOR_REFUSED");
    expect(revision.verdict).toBe("ENFORCED");
    expect(told.refusals).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ line: 4, policy: "the-data" }),
        expect.objectContaining({ line: 6, policy: "my-way-in" }),
        expect.objectContaining({ line: 9, policy: "" }),
      ]),
    );
    expect(await on("hub", "weft", "status")).toMatch(/web1 .*ENFORCED \d+, floor/);
    expect(await reached()).toBe("rogue:22 hub:22 hub:8080");
  });

  it("is named by `weft why`, which asks the kernel", async () => {
    expect(await on("hub", "weft", "why", "10.77.0.66", "db", "pg")).toContain(
      `by the floor of this node (${floorPath}:4)`,
    );
    expect(await on("hub", "weft", "why", "10.77.0.66", "web", "http")).toMatch(/its floor refused \d+: /);
  });

  it("holds ports shut that a mesh leaves out", async () => {
    await apply(emptied);
    const { floor: told } = await says("FLOOR_REFUSED");
    expect(told.refusals.map(({ line }) => line)).toEqual([5]);
    expect(await reached()).toBe("rogue:22 hub:22");
    await apply(good);
    await says("FLOOR_REFUSED", false);
  });

  it("serves and claims no zone but its own", async () => {
    const domains = () => on("web1", "sh", "-c", "cat /etc/resolv.conf; ls /etc/weft/dns");
    await until("web1 serves the mesh's zone", 40_000, async () =>
      (await domains()).includes("mesh.internal") ? true : undefined,
    );
    await apply(good.replace("zone: mesh.internal", "zone: example.org"));
    await says("FLOOR_REFUSED");
    await until("the zone is given up", 40_000, async () =>
      (await shown()).dns.state === "off" ? true : undefined,
    );
    expect(await domains()).not.toMatch(/example\.org|mesh\.internal/);
    expect((await world.lab.exec("web1", ["getent", "hosts", "web.example.org"])).code).not.toBe(0);
    expect(await reached()).toBe("rogue:22 hub:22 hub:8080");
    expect(await apply(good)).toContain("in force everywhere");
    await until("the zone is back", 40_000, async () =>
      (await world.lab.exec("web1", ["getent", "hosts", "web.mesh.internal"])).code === 0 ? true : undefined,
    );
  }, 180_000);

  it("that is broken lets nothing new in, and what is in force stays and is repaired", async () => {
    const before = await rulesOf();
    await writeFloor(`${floor}oops: true\n`);
    expect((await says("FLOOR_BROKEN")).revision.verdict).toBe("ENFORCED");
    const said = await apply(stolen);
    expect(said).toMatch(/web1 failed.*FLOOR_BROKEN: .*floor\.yaml:10:1: unknown key "oops"/);
    expect((await shown()).revision.verdict).toBe("REVERTED");
    expect(await rulesOf()).toBe(before);
    await on("web1", "nft", "flush", "ruleset");
    await until("the rules are back", 20_000, async () => ((await rulesOf()) === before ? true : undefined));
    await on("web1", "systemctl", "restart", "weft-node-agent");
    await says("FLOOR_BROKEN");
    expect(await rulesOf()).toBe(before);
    expect(await reached()).toBe("rogue:22 hub:22 hub:8080");
    await writeFloor(floor);
    await on("web1", "chmod", "0666", floorPath);
    await until("others are found to have a say in it", 20_000, async () =>
      (await on("hub", "weft", "status")).includes("may be written by others than root") ? true : undefined,
    );
    await on("web1", "chmod", "0644", floorPath);
    expect((await says("FLOOR_BROKEN", false)).floor.state).toBe("in-force");
    await says("FLOOR_REFUSED");
    expect(await rulesOf()).not.toBe(before);
    expect(await reached()).toBe("rogue:22 hub:22 hub:8080");
  }, 180_000);

  it("is what shut the thief out: without it he is in, and that is said", async () => {
    await on("web1", "rm", floorPath);
    const { floor: told } = await says("FLOOR_GONE");
    expect(told.state).toBe("none");
    await until("the mesh's word alone holds", 20_000, async () =>
      (await reaches("rogue", 5432)) ? true : undefined,
    );
    expect(await reached()).toContain("rogue:8080");
    await writeFloor(floor);
    await says("FLOOR_GONE", false);
    await until("the floor holds", 20_000, async () => ((await reaches("rogue", 5432)) ? undefined : true));
  }, 120_000);
});
