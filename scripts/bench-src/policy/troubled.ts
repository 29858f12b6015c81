// A machine whose agent is frozen and one whose agent is slowed: what `weft apply --wait` says of them.
import { must, textOf, type World } from "../../quickstart-src/world.ts";
import type { Machines } from "./way.ts";
import type { WeftWay } from "./weft-way.ts";

const agent = "weft-node-agent";

/** Of every 500 ms the agent has 30: its heartbeats come, everything else comes late. */
const slowing = `while :; do
  systemctl kill -s STOP ${agent}; sleep 0.47; systemctl kill -s CONT ${agent}; sleep 0.03
done`;

export async function namesTheTroubled(
  world: World,
  { all, hub }: Machines,
  weft: WeftWay,
): Promise<string[]> {
  const [frozen, slowed] = all.slice(-2);
  if (frozen === undefined || slowed === undefined) throw new Error("too few machines");
  await world.lab.writeFile(
    hub,
    "/root/mesh-open.yaml",
    weft.mesh(world, { all, hub, prober: "192.0.2.1" }, true),
  );
  await must(world, frozen, ["systemctl", "kill", "-s", "STOP", agent]);
  await must(world, slowed, ["systemd-run", "-q", "--unit", "bench-slowing", "/bin/sh", "-c", slowing]);
  try {
    const argv = ["weft", "apply", "/root/mesh-open.yaml", "--wait", "--timeout", "20"] as const;
    const said = textOf(await world.lab.exec(hub, argv));
    return [`${frozen} is frozen and ${slowed} slowed; weft apply --wait says:`, ...said.split("\n")];
  } finally {
    await must(world, slowed, ["systemctl", "stop", "bench-slowing"]);
    for (const machine of [frozen, slowed])
      await must(world, machine, ["systemctl", "kill", "-s", "CONT", agent]);
  }
}
