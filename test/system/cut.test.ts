// The cut on machines, from `weft apply` to both ends of a flow: through a container, too, whose network the agent enters
// by way of systemd; kept where that is asked for; and told.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { enterCommand } from "../../scripts/lab-src/enter.ts";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { initHub, installMachine, invite, join } from "../../scripts/quickstart-src/bring-up.ts";
import { fleetEnforced } from "../../scripts/quickstart-src/proofs/survival.ts";
import { must, textOf, until, type World } from "../../scripts/quickstart-src/world.ts";
import { FlowHost, flowProgram } from "../support/flow-host.ts";

const isLong = process.env["WEFT_LONG"] === "1";
const rounds = isLong ? 20 : 1;
const name = `cut-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };

/** Port 22 of api1, and the coordinator has to reach it. */
const guarded = "guard: { admin: [10.77.0.66/32], ports: [22/tcp] }\n";
/** Nobody may reach it any more: no node confirms that. */
const trap = "trap";
const trapService = "  trap: { nodes: [api1], user: mallory, ports: { ssh: 22/tcp } }\n";
const mesh = (policies: string, more = "") => `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53], mode: "off" }
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
${more === trap ? "" : more}services:
  web: { nodes: [web1], user: web }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp } }
${more === trap ? trapService : ""}policies:
${policies}`;
const opsToApi = '  - { name: ops-to-api, from: ["node:hub"], to: api }\n';
const open = mesh(
  `${opsToApi}  - { name: web-to-api, from: [web, "node:web1", { cidr: 172.29.9.0/24 }], to: api }\n`,
);
const closed = mesh(opsToApi);
const closedAnew = mesh(opsToApi.replace("ops-to-api", "ops-to-api-still"));

let world: World;
const ends = new Map<string, FlowHost>();
const on = (machine: string, ...argv: [string, ...string[]]) => must(world, machine, argv);

async function endOn(machine: string, user: string, within: readonly string[] = []): Promise<FlowHost> {
  const uid = (await on(machine, "id", "-u", user)).trim();
  const argv: [string, ...string[]] = [
    "/usr/bin/env",
    ...within,
    "/opt/weft/lib/node",
    "/var/tmp/flow-ends.ts",
    uid,
  ];
  const end = new FlowHost(await enterCommand(labNames(name), machine, argv));
  ends.set(`${machine} ${user} ${within.length}`, end);
  return end;
}

async function apply(text: string, ...flags: string[]): Promise<string> {
  await world.lab.writeFile("hub", "/root/mesh.yaml", text, 0o644);
  return textOf(await world.lab.exec("hub", ["weft", "apply", "/root/mesh.yaml", "--wait", ...flags]));
}

interface CutSeen {
  readonly occasion: string;
  readonly ended: number;
  readonly kept: number;
  readonly failed: number;
  readonly leftUnknown: number;
}
const enforcedAt = async (machine: string): Promise<number> =>
  new Date(JSON.parse(await on("hub", "weft", "status", machine, "--json")).revision.enforcedAt).getTime();
const cutOf = async (machine: string): Promise<CutSeen> =>
  JSON.parse(await on("hub", "weft", "status", machine, "--json")).cut;

beforeAll(async () => {
  await labUp(labNames(name), 0, progress);
  world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
  await Promise.all([
    installMachine(world, "hub", "coordinator"),
    installMachine(world, "web1", "agent"),
    installMachine(world, "api1", "agent"),
  ]);
  await initHub(world);
  expect(await apply(open)).toContain("in force everywhere");
  for (const machine of ["web1", "api1"]) await join(world, machine, await invite(world, machine));
  await fleetEnforced(world, ["hub", "web1", "api1"]);
  for (const machine of ["web1", "api1"])
    await world.lab.copyIn(machine, flowProgram, "/var/tmp/flow-ends.ts");
  const cage = `ip netns add cage
ip link add c0 type veth peer name eth0 netns cage
ip addr add 172.29.9.1/24 dev c0; ip link set c0 up
ip -n cage link set lo up; ip -n cage addr add 172.29.9.2/24 dev eth0; ip -n cage link set eth0 up
ip -n cage route add default via 172.29.9.1
echo 1 > /proc/sys/net/ipv4/ip_forward
nft add table ip t-nat
nft 'add chain ip t-nat post { type nat hook postrouting priority 100; }'
nft add rule ip t-nat post ip saddr 172.29.9.0/24 masquerade`;
  await on("web1", "sh", "-ec", cage);
  await (await endOn("api1", "api")).listen(8080);
}, 300_000);

afterAll(async () => {
  await Promise.all([...ends.values()].map((end) => end.stop()));
  await labDown(labNames(name), progress);
}, 60_000);

describe("a change that undoes itself", () => {
  it("ends what it had allowed, and nothing else", async () => {
    await (await endOn("api1", "root")).listen(22);
    const web = await endOn("web1", "web", ["nohup"]);
    expect(await apply(mesh(opsToApi, guarded))).toContain("in force everywhere");
    const candidate = mesh(`${opsToApi}  - { name: web-to-api, from: [web], to: api }\n`, trap);
    const risks = ["--accept-risk", "GUARD-ADMIN", "--accept-risk", "GUARD-PORT"];
    const applied = apply(candidate, "--confirm-timeout", "6s", ...risks);
    const isArmed = async () =>
      /elements/.test(await on("api1", "nft", "list", "set", "inet", "weft", "armed")) ? true : undefined;
    await until("api1 is armed", 30_000, isArmed, 10);
    await until("web1 lets it out", 30_000, async () => {
      web.order({ op: "open", name: "early", kind: "idle", host: world.lab.address("api1"), port: 8080 });
      return web.happened("early", "open") === undefined ? undefined : true;
    });
    expect(await applied).toContain("REVERTED: api1");
    await web.until("early", "ended", 20_000);
    const seen = await until("api1 has told", 20_000, async () => {
      const cut = await cutOf("api1");
      return cut.occasion === "reverted" ? cut : undefined;
    });
    expect(seen).toMatchObject({ failed: 0, kept: 0 });
    expect(seen.ended).toBeGreaterThan(0);
    expect(await apply(open)).toContain("in force everywhere");
  }, 180_000);
});

describe("a change that forbids what is established", () => {
  it(
    `ends it at both ends within a second of the kernel's confirm, and says how many (${rounds} times)`,
    async () => {
      const [api] = [...ends.values()];
      const web = await endOn("web1", "web");
      const cage = await endOn("web1", "root", ["ip", "netns", "exec", "cage"]);
      const target = world.lab.address("api1");
      const worst: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const flows = [
          { name: `push-${round}`, client: web, kind: "client-push" },
          { name: `fed-${round}`, client: web, kind: "server-push" },
          { name: `idle-${round}`, client: web, kind: "idle" },
          { name: `caged-${round}`, client: cage, kind: "idle" },
        ] as const;
        for (const flow of flows) await flow.client.open(flow.name, flow.kind, target, 8080);
        const said = await apply(closed);
        expect(said).toContain("in force everywhere");
        // api1 ends what arrives, web1 what leaves and what it passes on: each flow whoever comes first
        expect(said).toMatch(/(web1|api1) ended [1-4] flows? that (is|are) forbidden now/);
        const confirmed = Math.max(await enforcedAt("web1"), await enforcedAt("api1"));
        for (const flow of flows)
          for (const end of [flow.client, api!])
            worst.push((await end.until(flow.name, "ended")).at - confirmed);
        const cuts = await until("both have told", 20_000, async () => {
          const told = [await cutOf("web1"), await cutOf("api1")];
          return told.reduce((sum, { ended }) => sum + ended, 0) >= flows.length ? told : undefined;
        });
        for (const cut of cuts)
          expect(cut).toMatchObject({ occasion: "confirmed", failed: 0, leftUnknown: 0, kept: 0 });
        expect(await on("hub", "weft", "node", "show", "web1")).toMatch(
          /cut +(ended \d|no established) flow/,
        );
        expect(await on("hub", "weft", "status", "web1", "--json")).not.toContain("CUT_PARTIAL");
        expect(await apply(open)).toContain("in force everywhere");
      }
      process.stderr.write(
        `both ends, ms after the kernels were read back: worst ${Math.round(Math.max(...worst))}\n`,
      );
      expect(Math.max(...worst)).toBeLessThan(1_000);
    },
    60_000 + rounds * 60_000,
  );

  it("leaves it standing where that is asked for, over a restart, until the next change", async () => {
    const web = await endOn("web1", "web", ["nice"]);
    await web.open("kept", "idle", world.lab.address("api1"), 8080);
    const said = await apply(closed, "--keep-established", "--reason", "careful");
    expect(said).toMatch(/web1 keeps 1 flow that is forbidden now, as asked/);
    await on("web1", "systemctl", "restart", "weft-node-agent");
    await until("web1 has looked again", 30_000, async () =>
      (await cutOf("web1")).occasion === "started" ? true : undefined,
    );
    expect(await cutOf("web1")).toMatchObject({ kept: 1, ended: 0 });
    expect(web.happened("kept", "ended")).toBeUndefined();
    expect(await on("hub", "weft", "history")).toContain("careful; established flows are kept");
    expect(await apply(closedAnew)).toContain("in force everywhere");
    await web.until("kept", "ended");
  }, 120_000);
});
