// An etcd that the mesh runs for agents of Cilium, on real machines: its members with certificates of the mesh's SPIRE, who is let in
// and who is not, from one member to three and back to one. No agent of Cilium is needed: its certificate is tried by hand.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { applyMesh, initHub, installMachine, invite, join } from "../../scripts/quickstart-src/bring-up.ts";
import { must, until, type World } from "../../scripts/quickstart-src/world.ts";

const minutes = 60_000;
const name = `et-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
const world: World = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };

const meshText = (members: readonly string[]) => `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53] }
guard: { admin: [192.0.2.0/28], ports: [22/tcp] }
cilium: { etcd: { nodes: [${members.join(", ")}] }, ranges: 10.42.0.0/16 }
nodes:
  hub: { address: 10.77.0.10, dns: { mode: file } }
  web1: { address: 10.77.0.11, enforcement: cilium, range: 10.42.11.0/24, dns: { mode: file } }
  api1: { address: 10.77.0.12 }
  n1: { address: 10.77.0.101, dns: { mode: file } }
services:
  web: { nodes: [web1], user: web, unit: web.service, ports: { http: 8080/tcp } }
  guest: { nodes: [n1], user: guest, ports: { http: 8080/tcp } }
policies: []
defaults: { ingress: deny, egress: allow, mode: enforce }
`;

/** web1 has no programs of Cilium, so its endpoints are never enforced, and nobody waits for it. */
async function apply(members: readonly string[]): Promise<void> {
  await world.lab.writeFile("hub", "/root/mesh.yaml", meshText(members), 0o644);
  await must(world, "hub", ["weft", "apply", "/root/mesh.yaml", "--reason", "etcd"]);
}

const memberFiles = "/etc/weft/etcd/svid";
const clientFiles = "/etc/weft/cilium/svid";
const ids = "cilium/state/identities/v1/id";
const addresses = "cilium/state/ip/v1/default";
const nodes = "cilium/state/nodes/v1/weft-shop";

async function etcdctl(
  machine: string,
  args: readonly string[],
  { files = memberFiles, at = "https://localhost:2379" } = {},
): Promise<string> {
  const { code, stdout, stderr } = await world.lab.exec(machine, [
    "timeout",
    "10",
    "/opt/weft/components/etcdctl",
    `--cacert=${files}/bundle.pem`,
    `--cert=${files}/svid.pem`,
    `--key=${files}/svid.key`,
    `--endpoints=${at}`,
    "--dial-timeout=2s",
    "--command-timeout=4s",
    ...args,
  ]);
  return code === 0 ? stdout.trim() : `refused: ${stderr.trim()}`;
}

/** As web1's agent of Cilium would; the program is on members' machines alone. */
const asWeb1 = (...args: readonly string[]) =>
  etcdctl("hub", args, { files: "/root/web1", at: "https://hub.node.mesh.internal:2379" });

async function membersAre(wanted: readonly string[]): Promise<void> {
  const names = wanted.map((node) => `https://${node}.node.mesh.internal:2380`).sort();
  await until(`members are ${wanted.join(", ")}`, 2 * minutes, async () => {
    const listed = (await etcdctl("hub", ["member", "list"])).split("\n");
    const found = listed.map((line) => line.split(", ")[3] ?? line).sort();
    const isWhole = listed.every((line) => line.includes("started") && line.endsWith("false"));
    if (isWhole && JSON.stringify(found) === JSON.stringify(names)) return true;
    throw new Error(listed.join("\n"));
  });
}

const isReached = async (machine: string, port: number) =>
  (await world.lab.exec(machine, ["nc", "-z", "-w", "1", "10.77.0.10", `${port}`])).code === 0;

describe("an etcd that the mesh runs", () => {
  beforeAll(async () => {
    await labUp(labNames(name), 1, progress);
    const joining = ["web1", "api1", "n1"];
    await Promise.all([
      installMachine(world, "hub", "coordinator"),
      ...joining.map((machine) => installMachine(world, machine, "agent")),
    ]);
    await must(world, "n1", ["useradd", "-r", "guest"]);
    await initHub(world);
    await applyMesh(
      world,
      meshText(["hub"]).replace(/, enforcement: cilium, range: [^,]+/, ""),
      "without Cilium",
    );
    await Promise.all(joining.map(async (machine) => join(world, machine, await invite(world, machine))));
    await apply(["hub"]);
  }, 4 * minutes);
  afterAll(() => labDown(labNames(name), progress), minutes);

  it(
    "runs as a user of its own, and is open only when users and roles are in force",
    async () => {
      await until(
        "the port for clients is open",
        minutes,
        async () => (await isReached("web1", 2379)) || undefined,
      );
      expect(await etcdctl("hub", ["auth", "status"])).toContain("Authentication Status: true");
      const who = await must(world, "hub", ["ps", "-o", "user=", "-C", "etcd"]);
      expect(who.trim()).toBe("weft-etcd");
      const users = "hub.node.mesh.internal root web1.cilium.weft";
      await until(`its users are ${users}`, minutes, async () => {
        const found = (await etcdctl("hub", ["user", "list"])).split("\n").sort().join(" ");
        if (found === users) return true;
        throw new Error(found);
      });
      await until("a heartbeat", minutes, async () => {
        const text = await etcdctl("hub", ["get", "--print-value-only", "cilium/.heartbeat"]);
        return Number.isNaN(Date.parse(text)) ? undefined : true;
      });
    },
    3 * minutes,
  );

  it(
    "lets nobody in by the network but its members and nodes with Cilium",
    async () => {
      expect([await isReached("web1", 2379), await isReached("hub", 2379)]).toEqual([true, true]);
      for (const machine of ["api1", "rogue"])
        for (const port of [2379, 2380])
          expect([machine, await isReached(machine, port)]).toEqual([machine, false]);
      expect(await isReached("web1", 2380)).toBe(false);
    },
    minutes,
  );

  it(
    "lets an agent of Cilium say who it is, who its endpoints are, and nothing else",
    async () => {
      await until("web1 has its certificate", minutes, async () =>
        (await world.lab.exec("web1", ["test", "-s", `${clientFiles}/bundle.pem`])).code === 0
          ? true
          : undefined,
      );
      for (const file of ["bundle.pem", "svid.pem", "svid.key"])
        await world.lab.writeFile(
          "hub",
          `/root/web1/${file}`,
          await world.lab.readFile("web1", `${clientFiles}/${file}`),
          0o600,
        );
      expect(await must(world, "web1", ["stat", "-c", "%a %U", `${clientFiles}/svid.key`])).toBe(
        "600 root\n",
      );
      const [own] = /10\.42\.11\.\d+/.exec(await etcdctl("hub", ["role", "get", "web1.cilium.weft"])) ?? [];
      for (const key of [`${nodes}/web1`, `${addresses}/${own}`, `${addresses}/10.77.0.11`, `${ids}/1234`])
        expect([key, await asWeb1("put", key, "1")]).toEqual([key, "OK"]);
      expect(await asWeb1("get", `${ids}/1234`)).toContain("1");
      for (const key of [
        `${nodes}/hub`,
        `${addresses}/10.42.12.1`,
        `${addresses}/10.77.0.10`,
        `${addresses}/10.42.11.0/24`,
        "cilium/.heartbeat",
        "weft/leader",
      ])
        expect([key, await asWeb1("put", key, "1")]).toEqual([
          key,
          expect.stringContaining("permission denied"),
        ]);
      expect(await asWeb1("user", "list")).toContain("permission denied");
    },
    2 * minutes,
  );

  it(
    "lets no other certificate of the mesh do anything",
    async () => {
      const socket = ["-socketPath", "/run/spire/agent/public/api.sock"] as const;
      const fetch = ["/opt/weft/components/spire-agent", "api", "fetch", "x509", ...socket] as const;
      await must(world, "n1", ["install", "-d", "-o", "guest", "/var/tmp/guest"]);
      await until("guest has its certificate", minutes, async () => {
        const argv = [...fetch, "-write", "/var/tmp/guest"] as const;
        return (await world.lab.exec("n1", argv, { user: "guest" })).code === 0 ? true : undefined;
      });
      for (const [from, to] of [
        ["svid.0.pem", "svid.pem"],
        ["svid.0.key", "svid.key"],
        ["bundle.0.pem", "bundle.pem"],
      ])
        await world.lab.writeFile(
          "hub",
          `/root/guest/${to}`,
          await world.lab.readFile("n1", `/var/tmp/guest/${from}`),
          0o600,
        );
      for (const args of [
        ["get", `${ids}/1234`],
        ["put", `${ids}/1234`, "2"],
        ["user", "list"],
        ["auth", "disable"],
      ])
        expect(await etcdctl("hub", args, { files: "/root/guest" })).toMatch(/^refused: /);
      // nothing of it came to pass, and whoever may is answered
      expect(await etcdctl("hub", ["auth", "status"])).toContain("Authentication Status: true");
      expect(await asWeb1("get", "--print-value-only", `${ids}/1234`)).toBe("1");
    },
    2 * minutes,
  );

  it(
    "grows to three members, goes on with one of them gone, and shrinks to one",
    async () => {
      await apply(["hub", "n1", "api1"]);
      await membersAre(["hub", "n1", "api1"]);
      await must(world, "n1", ["systemctl", "stop", "weft-node-agent", "weft-etcd"]);
      await until("it takes writes without n1", 30_000, async () =>
        (await asWeb1("put", `${nodes}/web1`, "2")) === "OK" ? true : undefined,
      );
      await must(world, "n1", ["systemctl", "start", "weft-etcd", "weft-node-agent"]);
      await until("n1 has it, too", minutes, async () => {
        const seen = await etcdctl("n1", ["get", "--print-value-only", `${nodes}/web1`]);
        return seen === "2" ? true : undefined;
      });
      await apply(["hub"]);
      await membersAre(["hub"]);
      for (const machine of ["n1", "api1"])
        await until(`nothing is left on ${machine}`, 2 * minutes, async () => {
          const left = await must(world, machine, [
            "sh",
            "-c",
            "ls -d /etc/weft/etcd /var/lib/weft-etcd 2>/dev/null; systemctl is-active weft-etcd; true",
          ]);
          if (left === "inactive\n") return true;
          throw new Error(left);
        });
      expect(await asWeb1("get", "--print-value-only", `${nodes}/web1`)).toBe("2");
    },
    6 * minutes,
  );
});
