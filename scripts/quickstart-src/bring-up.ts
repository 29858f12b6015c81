// In: a lab of clean machines and the archives. Out: Weft installed, the hub initialised, services running, nodes joined;
// what a user does by the README, in the same order and by the same commands.
import { apiId, guestMachine, meshWithGuest, webId } from "./demo-mesh.ts";
import { must, mustFail, until, type World } from "./world.ts";

export async function installMachine(
  world: World,
  machine: string,
  role: "coordinator" | "agent",
): Promise<void> {
  const { lab, artefacts } = world;
  await lab.copyIn(machine, artefacts.weft, "/var/tmp/weft.tar.gz");
  const components: string[] = [];
  if (role === "coordinator") {
    await lab.copyIn(machine, artefacts.components, "/var/tmp/weft-components.tar");
    components.push("--components", "/var/tmp/weft-components.tar");
  }
  await must(world, machine, ["mkdir", "/var/tmp/weft"]);
  await must(world, machine, [
    "tar",
    "-xf",
    "/var/tmp/weft.tar.gz",
    "-C",
    "/var/tmp/weft",
    "--strip-components=1",
  ]);
  await must(world, machine, ["/var/tmp/weft/install.sh", role, ...components], { timeoutMs: 120_000 });
  await must(world, machine, [
    "rm",
    "-rf",
    "/var/tmp/weft",
    "/var/tmp/weft.tar.gz",
    "/var/tmp/weft-components.tar",
  ]);
}

export async function initHub(world: World): Promise<string> {
  await world.lab.writeFile("hub", "/root/passphrase", "correct horse battery staple\n", 0o600);
  return must(
    world,
    "hub",
    [
      "weft",
      "init",
      "--name",
      "shop",
      "--address",
      "10.77.0.10",
      "--node",
      "hub",
      "--passphrase-file",
      "/root/passphrase",
    ],
    { timeoutMs: 120_000 },
  );
}

export interface Invitation {
  readonly token: string;
  readonly pin: string;
  readonly expires: Date;
}

export async function invite(world: World, node: string, ...flags: readonly string[]): Promise<Invitation> {
  const answer: unknown = JSON.parse(
    await must(world, "hub", ["weft", "node", "add", node, "--json", ...flags]),
  );
  if (
    typeof answer !== "object" ||
    answer === null ||
    !("token" in answer) ||
    !("pin" in answer) ||
    !("expires" in answer) ||
    typeof answer.token !== "string" ||
    typeof answer.pin !== "string"
  )
    throw new Error(`weft node add --json answered ${JSON.stringify(answer)}`);
  return { token: answer.token, pin: answer.pin, expires: new Date(String(answer.expires)) };
}

export function joinCommand(pin: string): readonly [string, ...string[]] {
  return ["weft-node-agent", "join", "10.77.0.10", "--pin", pin];
}

export async function join(world: World, machine: string, invitation: Invitation): Promise<string> {
  return must(world, machine, joinCommand(invitation.pin), {
    input: `${invitation.token}\n`,
    timeoutMs: 120_000,
  });
}

export async function applyMesh(
  world: World,
  text: string,
  reason: string,
  flags: readonly string[] = [],
): Promise<string> {
  await world.lab.writeFile("hub", "/root/mesh.yaml", text, 0o644);
  return must(world, "hub", ["weft", "apply", "/root/mesh.yaml", "--wait", "--reason", reason, ...flags], {
    timeoutMs: 90_000,
  });
}

function unit(user: string, program: string, args: string, allow: string): string {
  return `[Unit]
Description=demo service ${user}
After=network.target

[Service]
User=${user}
Environment=SPIFFE_ENDPOINT_SOCKET=unix:///run/spire/agent/public/api.sock
Environment=ALLOW=${allow}
ExecStart=/opt/weft/lib/node /srv/app/${program}.cjs ${args}
Restart=always
RestartSec=500ms

[Install]
WantedBy=multi-user.target
`;
}

/** A listener that systemd opens before the network is up: what a boot without early rules would expose. */
const earlySocket = `[Unit]
DefaultDependencies=no
Before=network-pre.target

[Socket]
ListenStream=8090
Accept=yes

[Install]
WantedBy=sysinit.target
`;
const earlyService = `[Service]
ExecStart=/bin/echo early
StandardInput=socket
StandardOutput=socket
`;

/** The demo services are the user's own programs: put on the machines, not installed by Weft. */
export async function installApps(world: World): Promise<void> {
  const { lab, artefacts } = world;
  await Promise.all([
    (async () => {
      await must(world, "web1", ["mkdir", "-p", "/srv/app"]);
      await lab.copyIn("web1", artefacts.web, "/srv/app/web.cjs");
      await lab.writeFile("web1", "/etc/systemd/system/web.service", unit("web", "web", "", apiId), 0o644);
      await must(world, "web1", ["systemctl", "enable", "--now", "-q", "web.service"]);
    })(),
    (async () => {
      await must(world, "api1", ["mkdir", "-p", "/srv/app"]);
      await lab.copyIn("api1", artefacts.api, "/srv/app/api.cjs");
      await lab.copyIn("api1", artefacts.web, "/srv/app/web.cjs");
      const allow = `${webId},spiffe://mesh.internal/guest`;
      await lab.writeFile("api1", "/etc/systemd/system/api.service", unit("api", "api", "", allow), 0o644);
      await lab.writeFile("api1", "/etc/systemd/system/early.socket", earlySocket, 0o644);
      await lab.writeFile("api1", "/etc/systemd/system/early@.service", earlyService, 0o644);
      await must(world, "api1", ["systemctl", "enable", "--now", "-q", "api.service", "early.socket"]);
    })(),
  ]);
}

export async function installGuest(world: World): Promise<void> {
  await must(world, guestMachine, ["useradd", "-r", "guest"]);
  await must(world, guestMachine, ["mkdir", "-p", "/srv/app"]);
  await world.lab.copyIn(guestMachine, world.artefacts.web, "/srv/app/web.cjs");
}

/** Joins web1 with the refusals a stranger would meet on the way; resolves to their sentences. */
export async function joinWithRefusals(
  world: World,
): Promise<{ readonly wrongPin: string; readonly expired: string }> {
  const short = await invite(world, "web1", "--ttl", "1s");
  const wrongPin = await mustFail(
    world,
    "web1",
    joinCommand(`sha256:${"0".repeat(64)}`),
    /not signed by|pinned/i,
    { input: `${short.token}\n`, timeoutMs: 30_000 },
  );
  await until("the expiry of a token of 1 s", 10_000, async () =>
    Date.now() > short.expires.getTime() ? true : undefined,
  );
  const expired = await mustFail(world, "web1", joinCommand(short.pin), /expired/i, {
    input: `${short.token}\n`,
    timeoutMs: 30_000,
  });
  await join(world, "web1", await invite(world, "web1"));
  return { wrongPin, expired };
}

export async function bringUp(world: World): Promise<void> {
  await Promise.all([
    installMachine(world, "hub", "coordinator"),
    installMachine(world, "web1", "agent"),
    installMachine(world, "api1", "agent"),
    installMachine(world, guestMachine, "agent"),
    installMachine(world, "rogue", "agent"),
  ]);
  world.say("installed by install.sh on hub, web1, api1, n1 (and rogue, who will never get in)");
  await initHub(world);
  world.say("weft init: SPIRE server, keys, coordinator and the hub's own agent run");
  await applyMesh(world, meshWithGuest, "the demo mesh");
  world.say("weft apply mesh.yaml: 2 policies, 3 services, 4 nodes");
  await installApps(world);
}
