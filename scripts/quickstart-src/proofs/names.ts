// Proofs about names: the mesh's own resolve on every node, and the public ones still do.
import { members } from "../demo-mesh.ts";
import { must, type Proof, ProofFailed, until, type World } from "../world.ts";

export async function resolve(world: World, machine: string, name: string): Promise<string | undefined> {
  const result = await world.lab.exec(machine, ["getent", "ahostsv4", name], { timeoutMs: 20_000 });
  return result.code === 0 ? result.stdout.split(/\s/)[0] : undefined;
}

/** What services' names lead to on a machine. */
const addresses = async (world: World, machine: string) =>
  (await world.serviceAddresses?.(machine)) ?? { web: "10.77.0.11", api: "10.77.0.12" };

export const namesResolve: Proof = {
  claim: "names resolve on every node; upstream names still do; unknown ones do not",
  async run(world) {
    const seen = new Map<string, string[]>();
    for (const machine of members) {
      const { api, web } = await addresses(world, machine);
      const wanted = [
        ["api.mesh.internal", api],
        ["web.mesh.internal", web],
        ["hub.node.mesh.internal", "10.77.0.10"],
        ["www.example.test", "192.0.2.80"],
      ] as const;
      for (const [name, address] of wanted)
        await until(`${machine}: ${name} -> ${address}`, 15_000, async () =>
          (await resolve(world, machine, name)) === address ? true : undefined,
        );
      const nobody = await resolve(world, machine, "nobody.mesh.internal");
      if (nobody !== undefined) throw new ProofFailed(`${machine}: nobody.mesh.internal resolved`, nobody);
      const answers = wanted.map(([name, address]) => `${name} = ${address}`).join(", ");
      seen.set(answers, [...(seen.get(answers) ?? []), machine]);
    }
    return [...seen].map(([answers, machines]) => `${machines.join(", ")}: ${answers}`).join("; ");
  },
};

export const deadResolverFallsThrough: Proof = {
  claim: "a dead resolver falls through to the upstreams",
  async run(world) {
    const seen: string[] = [];
    for (const machine of ["web1", "api1"]) {
      await must(world, machine, ["systemctl", "stop", "weft-dns"]);
      try {
        const address = await until(`${machine}: a public name without weft-dns`, 15_000, () =>
          resolve(world, machine, "www.example.test"),
        );
        if (address !== "192.0.2.80") throw new ProofFailed(`${machine}: wrong address`, address);
        seen.push(`${machine}: www.example.test = ${address} with weft-dns stopped`);
      } finally {
        await must(world, machine, ["systemctl", "start", "weft-dns"]);
      }
      await until(`${machine}: mesh names are back`, 15_000, () =>
        resolve(world, machine, "api.mesh.internal"),
      );
    }
    return seen.join("; ");
  },
};
