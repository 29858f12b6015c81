// In: a machine with Weft's agent. Out: SPIRE agent and CoreDNS on it, as if they had been installed before.
import type { World } from "../quickstart-src/world.ts";

export async function layComponents(world: World, machine: string): Promise<void> {
  const file = "/var/tmp/components.tar";
  await world.lab.copyIn(machine, world.artefacts.components, file);
  await world.lab.run(machine, ["tar", "-xf", file, "-C", "/opt/weft/components", "spire-agent", "coredns"]);
  await world.lab.run(machine, ["rm", file]);
}
