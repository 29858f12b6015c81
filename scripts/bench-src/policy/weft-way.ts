// Weft: the mesh file with or without the policy, applied; back when the kernels carry it.
import { z } from "zod";
import { must, type World } from "../../quickstart-src/world.ts";
import { type Change, type Machines, timedOnHub, type Way } from "./way.ts";

const statusSchema = z.object({
  nodes: z.array(z.object({ name: z.string(), revision: z.object({ enforcedAt: z.string().nullable() }) })),
});

export class WeftWay implements Way {
  readonly name = "weft apply";
  readonly port = 9000;

  mesh(world: World, { all, prober }: Machines, open: boolean): string {
    const nodes = all.map((machine) => `  ${machine}: { address: ${world.lab.address(machine)} }\n`);
    const policies = open ? `policies:\n  - { name: probe, from: [{ cidr: ${prober}/32 }], to: app }\n` : "";
    return `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53], mode: "off" }
nodes:
${nodes.join("")}services:
  app: { nodes: [${all.join(", ")}], user: app, ports: { tcp: ${this.port}/tcp } }
${policies}`;
  }

  async prepare(world: World, machines: Machines): Promise<void> {
    for (const open of [true, false])
      await world.lab.writeFile(
        machines.hub,
        `/root/mesh-${open ? "open" : "closed"}.yaml`,
        this.mesh(world, machines, open),
      );
    await this.change(world, machines, false);
  }

  change(world: World, { hub }: Machines, open: boolean): Promise<Change> {
    const file = `/root/mesh-${open ? "open" : "closed"}.yaml`;
    return timedOnHub(world, hub, `weft apply ${file} --wait`);
  }

  /** When each kernel began to enforce what it carries now, as Weft says: seconds since 1970. */
  async enforcedAt(world: World, hub: string): Promise<ReadonlyMap<string, number>> {
    const status = statusSchema.parse(JSON.parse(await must(world, hub, ["weft", "status", "--json"])));
    return new Map(
      status.nodes.flatMap(({ name, revision: { enforcedAt } }) =>
        enforcedAt === null ? [] : [[name, Date.parse(enforcedAt) / 1000] as const],
      ),
    );
  }
}
