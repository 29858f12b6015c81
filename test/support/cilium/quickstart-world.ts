// In: a lab's name. Out: the quickstart's world with web1 and api1 on Cilium: its own mesh files with these nodes changed, its own
// commands run as the services do.
import { findArtefacts } from "../../../scripts/quickstart-src/artefacts.ts";
import { must, type World } from "../../../scripts/quickstart-src/world.ts";
import { ServiceLab } from "./service-lab.ts";

export const rangeOf = { web1: "10.42.11.0/24", api1: "10.42.12.0/24" } as const;

/** @param etcd as the mesh file says it */
export function quickstartWorld(name: string, etcd: string, say: (line: string) => void): World {
  const services = new Map([
    ["web1", "web"],
    ["api1", "api"],
  ]);
  const onCilium = (path: string, text: string) => (path === "/root/mesh.yaml" ? moved(text, etcd) : text);
  const lab = new ServiceLab(name, services, onCilium);
  const world: World = { lab, artefacts: findArtefacts(), say };
  const plain = { web: "10.77.0.11", api: "10.77.0.12" };
  return {
    ...world,
    serviceAddresses: async (machine) => (services.has(machine) ? await endpointsOf(world) : plain),
  };
}

function moved(text: string, etcd: string): string {
  const more = (machine: keyof typeof rangeOf) => `, enforcement: cilium, range: ${rangeOf[machine]}`;
  return text
    .replace(/^nodes:/m, `cilium: { etcd: ${etcd}, ranges: 10.42.0.0/16 }\nnodes:`)
    .replace("{ address: 10.77.0.11,", `{ address: 10.77.0.11${more("web1")},`)
    .replace("{ address: 10.77.0.12 }", `{ address: 10.77.0.12${more("api1")} }`)
    .replace("user: web,", "user: web, unit: web.service,");
}

export async function endpointsOf(world: World): Promise<{ readonly web: string; readonly api: string }> {
  const addressOf = async (machine: string, service: string) => {
    const text = await must(world, machine, ["cat", `/etc/weft/cilium/endpoints/${service}`]);
    return /^ADDRESS=(.*)$/m.exec(text)?.[1] ?? "";
  };
  return { web: await addressOf("web1", "web"), api: await addressOf("api1", "api") };
}
