// In: a lab of the kind "cilium" and a directory with Cilium's programs. Out: a mesh of three machines, hub with nftables and an
// etcd, web1 and api1 ready for Cilium, with services that call each other by their SPIFFE IDs.
import { execa } from "execa";
import {
  applyMesh,
  initHub,
  installMachine,
  invite,
  join,
} from "../../../scripts/quickstart-src/bring-up.ts";
import { must, until, type World } from "../../../scripts/quickstart-src/world.ts";
import { AgentMachines } from "./agent-machines.ts";

export const ciliumMachines = ["web1", "api1"] as const;
const ids = {
  web: "spiffe://mesh.internal/web",
  api: "spiffe://mesh.internal/api",
  old: "spiffe://mesh.internal/old",
};

export const usualCalls = [
  ["web", "api"],
  ["old", "api"],
] as const;

/** @param calls who may call whom */
export function meshText(
  enforcement: "nftables" | "cilium",
  calls: readonly (readonly [string, string])[] = usualCalls,
): string {
  const policies = calls.map(
    ([from, to]) => `  - { name: ${from}-to-${to}, from: [${from}], to: ${to}, ports: [http] }\n`,
  );
  const more = (range: string) => (enforcement === "cilium" ? `, enforcement: cilium, range: ${range}` : "");
  const section =
    enforcement === "cilium"
      ? "cilium: { etcd: { members: [http://10.77.0.10:2379] }, ranges: 10.42.0.0/16 }\n"
      : "";
  return `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53] }
guard: { admin: [192.0.2.0/28], ports: [22/tcp] }
${section}nodes:
  hub: { address: 10.77.0.10, dns: { mode: file } }
  web1: { address: 10.77.0.11, dns: { mode: file }${more("10.42.11.0/24")} }
  api1: { address: 10.77.0.12${more("10.42.12.0/24")} }
services:
  web: { nodes: [web1], user: web, unit: web.service, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, unit: api.service, ports: { http: 8080/tcp } }
  old: { nodes: [hub], user: old, unit: old.service, ports: { http: 8080/tcp } }
policies:${policies.length === 0 ? " []" : ""}
${policies.join("")}defaults: { ingress: deny, egress: allow, mode: enforce }
`;
}

const unit = (user: string, args: string): string => `[Unit]
After=network.target
StartLimitIntervalSec=0

[Service]
User=${user}
Environment=SPIFFE_ENDPOINT_SOCKET=unix:///run/spire/agent/public/api.sock
Environment=ALLOW=${ids.web},${ids.old}
ExecStart=/opt/weft/lib/node ${args}
Restart=always
RestartSec=200ms

[Install]
WantedBy=multi-user.target
`;

/** Calls api again and again on one connection, and says each answer. */
const caller = `/srv/app/web.cjs --get https://api.mesh.internal:8080/hello --expect ${ids.api} --keepalive --interval 20`;

/** As an operator does: the programs, where the node agent looks for them. */
export async function giveCilium(world: World, directory: string): Promise<void> {
  const { stdout: programs } = await execa("tar", ["-C", directory, "-cf", "-", "."], {
    encoding: "buffer",
    maxBuffer: 1 << 30,
  });
  await Promise.all(
    ciliumMachines.map(async (machine) => {
      await world.lab.writeFile(machine, "/var/tmp/cilium.tar", programs);
      await must(world, machine, [
        "sh",
        "-ec",
        "mkdir -p /opt/weft/cilium; tar -C /opt/weft/cilium -xf /var/tmp/cilium.tar; rm /var/tmp/cilium.tar",
      ]);
    }),
  );
}

/** Joined, all with nftables, and every service running. */
export async function bringUpForCilium(world: World, directory: string): Promise<void> {
  const { lab, artefacts } = world;
  await new AgentMachines(lab, { etcd: "hub", cluster: "" }).startEtcd();
  await giveCilium(world, directory);
  await must(world, "hub", ["useradd", "-r", "old"]);
  await Promise.all([
    installMachine(world, "hub", "coordinator"),
    ...ciliumMachines.map((machine) => installMachine(world, machine, "agent")),
  ]);
  const services = [
    ["web1", "web", artefacts.web, caller],
    ["hub", "old", artefacts.web, caller],
    ["api1", "api", artefacts.api, "/srv/app/api.cjs"],
  ] as const;
  for (const [machine, user, program, args] of services) {
    await must(world, machine, ["mkdir", "-p", "/srv/app"]);
    await lab.copyIn(machine, program, args.split(" ")[0] ?? "");
    await lab.writeFile(machine, `/etc/systemd/system/${user}.service`, unit(user, args), 0o644);
  }
  await initHub(world);
  await applyMesh(world, meshText("nftables"), "nftables first");
  await Promise.all(
    ciliumMachines.map(async (machine) => join(world, machine, await invite(world, machine))),
  );
  for (const [machine, user] of services)
    await must(world, machine, ["systemctl", "enable", "--now", "-q", `${user}.service`]);
  for (const [machine, user] of [
    ["web1", "web"],
    ["hub", "old"],
  ] as const)
    await answersSince(world, machine, user, await now(world, machine));
}

/** The machine's clock, as journalctl reads it. */
export async function now(world: World, machine: string): Promise<string> {
  return `@${(await must(world, machine, ["date", "+%s.%N"])).trim()}`;
}

/** What a service printed since. */
export async function printedSince(
  world: World,
  machine: string,
  service: string,
  since: string,
): Promise<string[]> {
  const argv = ["journalctl", "-u", service, "-o", "cat", "--no-pager", "--since", since] as const;
  return (await must(world, machine, argv)).split("\n");
}

/** Waits for an answer that came after. @returns it */
export async function answersSince(
  world: World,
  machine: string,
  service: string,
  since: string,
): Promise<string> {
  return until(`${machine}: ${service} gets an answer`, 60_000, async () =>
    (await printedSince(world, machine, service, since)).findLast((line) => line.includes('"status":200')),
  );
}

/** In a service's network, where it has one of its own. */
export async function reaches(
  world: World,
  machine: string,
  namespace: string | undefined,
  address: string,
  port: number,
): Promise<boolean> {
  const inside = namespace === undefined ? [] : ["nsenter", `--net=/run/netns/weft-${namespace}`];
  const argv = [...inside, "nc", "-z", "-w", "1", address, String(port)] as unknown as [string, ...string[]];
  return (await world.lab.exec(machine, argv)).code === 0;
}

/** Of each endpoint: its number, identity and address. */
export async function identities(world: World): Promise<string> {
  const shown = await Promise.all(
    ciliumMachines.map((machine) =>
      must(world, machine, ["/opt/weft/cilium/cilium-dbg", "endpoint", "list", "-o", "json"]),
    ),
  );
  return JSON.stringify(
    shown.flatMap((text) =>
      (
        JSON.parse(text) as {
          id: number;
          status: { identity: { id: number }; networking: { addressing: unknown } };
        }[]
      ).map(({ id, status }) => [id, status.identity.id, status.networking.addressing]),
    ),
  );
}

/** Between two answers, in seconds. */
export async function longestGap(
  world: World,
  machine: string,
  service: string,
  since: string,
): Promise<string> {
  const argv = ["journalctl", "-u", service, "-o", "short-unix", "--no-pager", "--since", since] as const;
  const times = (await must(world, machine, argv))
    .split("\n")
    .flatMap((line) => (line.includes('"status":200') ? [Number.parseFloat(line)] : []));
  return Math.max(...times.map((time, index) => time - (times[index - 1] ?? time))).toFixed(2);
}

/** Addresses that a machine's agent has given, and to whom. */
export async function allocations(world: World, machine: string): Promise<unknown> {
  const argv = [
    "curl",
    "-s",
    "--unix-socket",
    "/run/cilium/cilium.sock",
    "http://localhost/v1/healthz",
  ] as const;
  const answer = JSON.parse(await must(world, machine, argv)) as { ipam: { allocations: unknown } };
  return answer.ipam.allocations;
}
