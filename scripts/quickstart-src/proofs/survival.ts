// Proofs that nothing depends on the coordinator's process, and that a boot opens nothing.
import { members } from "../demo-mesh.ts";
import { must, type Proof, ProofFailed, until, type World } from "../world.ts";
import { namesResolve } from "./names.ts";
import { callWorks, startProber } from "./services.ts";

/** What must never answer while api1 goes down and comes back: from a stranger and from the wrong user. */
export async function probeThroughReboot(world: World, reboot: () => Promise<void>): Promise<string> {
  const four = world.lab.address("api1");
  const six = world.lab.address6("api1");
  // port 8090 is declared by api, allowed to nobody, and listening from before the network is up
  const rogue = await startProber(world, "rogue", [
    [four, 8090],
    [six, 8090],
    [four, 8080],
    [six, 8080],
  ]);
  const mallory = await startProber(world, "web1", [[four, 8080]], "mallory");
  let seen: string;
  try {
    await reboot();
    await must(world, "api1", ["systemctl", "is-active", "early.socket"]);
    seen = (await callWorks(world)).hello;
  } catch (error) {
    await Promise.allSettled([rogue.finish(), mallory.finish()]);
    throw error;
  }
  const [fromRogue, fromMallory] = [await rogue.finish(), await mallory.finish()];
  return `api answers ${seen} again; rogue: ${fromRogue}; mallory: ${fromMallory}`;
}

const staysDead = "/run/systemd/system/weft-coordinator.service.d/proof.conf";

async function coordinatorState(world: World): Promise<string> {
  const state = await world.lab.exec("hub", ["systemctl", "is-active", "weft-coordinator"]);
  return state.stdout.trim();
}

/** Killed, and not started again by systemd, which is what would happen on a machine that is not told otherwise. */
export async function killCoordinator(world: World): Promise<void> {
  await world.lab.writeFile("hub", staysDead, "[Service]\nRestart=no\n", 0o644);
  await must(world, "hub", ["systemctl", "daemon-reload"]);
  await must(world, "hub", ["systemctl", "kill", "-s", "KILL", "weft-coordinator"]);
  await until("the coordinator's death", 10_000, async () =>
    (await coordinatorState(world)) === "failed" ? true : undefined,
  );
}

async function stillDead(world: World): Promise<void> {
  const state = await coordinatorState(world);
  if (state !== "failed") throw new ProofFailed("the coordinator came back, so nothing was proved", state);
}

export async function reviveCoordinator(world: World): Promise<void> {
  await must(world, "hub", ["rm", "-r", "/run/systemd/system/weft-coordinator.service.d"]);
  await must(world, "hub", ["systemctl", "daemon-reload"]);
  await must(world, "hub", ["systemctl", "reset-failed", "weft-coordinator"]);
  await must(world, "hub", ["systemctl", "start", "weft-coordinator"]);
  await fleetEnforced(world, members);
}

export interface StatusNode {
  readonly name: string;
  readonly state: string;
  readonly revision: { readonly wanted: number; readonly enforced: number; readonly verdict: string };
}

export async function statusOf(world: World): Promise<readonly StatusNode[]> {
  const parsed: unknown = JSON.parse(await must(world, "hub", ["weft", "status", "--json"]));
  if (typeof parsed !== "object" || parsed === null || !("nodes" in parsed) || !Array.isArray(parsed.nodes))
    throw new ProofFailed("weft status --json has no nodes", JSON.stringify(parsed));
  return parsed.nodes as StatusNode[];
}

export async function fleetEnforced(world: World, names: readonly string[]): Promise<readonly StatusNode[]> {
  return until(`${names.join(", ")} Online and ENFORCED`, 60_000, async () => {
    const nodes = await statusOf(world);
    const good = names.every((name) =>
      nodes.some(
        (node) => node.name === name && node.state === "Online" && node.revision.verdict === "ENFORCED",
      ),
    );
    if (!good)
      throw new Error(nodes.map((node) => `${node.name} ${node.state} ${node.revision.verdict}`).join(", "));
    return nodes;
  });
}

export const coordinatorIsNotNeeded: Proof = {
  claim:
    "coordinator killed, api1 rebooted meanwhile: all of it still holds, and no prober ever gets an answer it should not",
  async run(world) {
    await killCoordinator(world);
    try {
      const seen = await probeThroughReboot(world, () => world.lab.reboot("api1"));
      await namesResolve.run(world);
      await stillDead(world);
      return seen;
    } finally {
      await reviveCoordinator(world);
    }
  },
};
