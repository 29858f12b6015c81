// Proofs that a node goes: removed by the operator, its access ends everywhere; left by its owner, nothing of Weft stays.
import { applyMesh } from "../bring-up.ts";
import { guestMachine, meshWithoutGuest } from "../demo-mesh.ts";
import { must, mustFail, type Proof, ProofFailed, textOf, until, type World } from "../world.ts";
import { resolve } from "./names.ts";
import { statusOf } from "./survival.ts";

const spireServer = ["/opt/weft/components/spire-server"] as const;
const socket = ["-socketPath", "/run/spire/server/api.sock"] as const;

export const removeNode: Proof = {
  claim: "node remove (after the mesh file drops it): its access ends everywhere, its SVIDs are not renewed",
  async run(world) {
    const still = await mustFail(
      world,
      "hub",
      ["weft", "node", "remove", guestMachine],
      /names|mesh file|E104/i,
    );
    await applyMesh(world, meshWithoutGuest, "n1 goes", ["--accept-risk", "GUARD-NODE"]);
    await must(world, "hub", ["weft", "node", "remove", guestMachine], { timeoutMs: 60_000 });
    const nodes = await statusOf(world);
    if (nodes.some((item) => item.name === guestMachine))
      throw new ProofFailed("status still lists it", JSON.stringify(nodes));
    for (const [address, port] of [
      ["10.77.0.12", 8080],
      ["10.77.0.10", 7443],
      ["10.77.0.10", 8081],
    ] as const) {
      await until(`${guestMachine} -> ${address}:${port} refused`, 15_000, async () => {
        const result = await world.lab.exec(guestMachine, ["nc", "-z", "-w", "2", address, String(port)], {
          user: "guest",
        });
        return result.code === 0 ? undefined : true;
      });
    }
    const entries = await must(world, "hub", [...spireServer, "entry", "show", ...socket]);
    if (entries.includes("/guest")) throw new ProofFailed("its registration entry is still there", entries);
    const agents = await world.lab.exec("hub", [
      ...spireServer,
      "agent",
      "list",
      "-output",
      "json",
      ...socket,
    ]);
    const listed: unknown = JSON.parse(agents.stdout);
    const record = JSON.stringify(listed);
    if (record.includes(`x509pop/${guestMachine}"`) && !/"banned":\s*true/.test(record))
      throw new ProofFailed("its SPIRE agent is still welcome", textOf(agents));
    await until("its names to go", 15_000, async () =>
      (await resolve(world, "web1", "guest.mesh.internal")) === undefined ? true : undefined,
    );
    return `before: ${still}; after: 10.77.0.12:8080, hub:7443 and hub:8081 refused from n1, no entry, SPIRE agent banned, guest.mesh.internal gone`;
  },
};

/** Type, mode, owner, target and bytes of what Weft may touch, one line each. */
export async function snapshot(world: World, machine: string): Promise<string> {
  const script = `
    cd /
    find etc opt usr/local root var/lib run/systemd/network -xdev \\( -path var/lib/systemd -o -path etc/machine-id -o -path var/lib/dbus -o -path etc/systemd/system -prune -o -path var/lib/private \\) -prune -o -type f -printf '%p %m %U:%G ' -exec sha256sum {} \\; -o -type l -printf '%p -> %l\\n' -o -type d -printf '%p/ %m %U:%G\\n' | sort
    find etc/systemd/system -printf '%p %l\\n' | sort
    systemctl list-unit-files --no-legend --no-pager | awk '{print $1, $2}' | sort
    getent passwd; getent group
    echo rules; nft list ruleset
    echo links; ip -o link | sed 's/^[0-9]*: //; s/@.*//; s/:.*//'
    stat -c '%F %a %U %N' etc/resolv.conf; cat etc/resolv.conf`;
  return must(world, machine, ["sh", "-c", script], { timeoutMs: 60_000 });
}

export async function leaveRestores(world: World, machine: string, before: string): Promise<string> {
  const output = await must(world, machine, ["weft-node-agent", "leave", "--yes"], { timeoutMs: 90_000 });
  const after = await snapshot(world, machine);
  if (after !== before) {
    const old = new Set(before.split("\n"));
    const now = new Set(after.split("\n"));
    const changed = [
      ...[...now].filter((line) => !old.has(line)).map((line) => `+ ${line}`),
      ...[...old].filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ];
    throw new ProofFailed(`${machine} is not as it was before Weft`, changed.slice(0, 30).join("\n"));
  }
  const lines = after.split("\n").length;
  return `${output.trim().split("\n").length} things undone; ${lines} lines of files, units, users, rules and links equal before and after`;
}
