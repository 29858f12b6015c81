// `ansible all -m raw`, its ssh sessions kept open between the calls.
import { must, type World } from "../../quickstart-src/world.ts";
import { type Change, type Machines, rivalChange, rivalTable, timedOnHub, type Way } from "./way.ts";

const table = "bench_ansible";

/** Needs what the ssh way has prepared. */
export class AnsibleWay implements Way {
  readonly name = "Ansible ad hoc (raw)";
  readonly port = 9003;

  async prepare(world: World, machines: Machines): Promise<void> {
    const inventory = machines.all.map((machine) => `${world.lab.address(machine)}\n`).join("");
    await world.lab.writeFile(machines.hub, "/root/inventory", inventory);
    await Promise.all(
      machines.all.map((machine) =>
        must(world, machine, ["nft", "-f", "-"], { input: rivalTable(table, this.port) }),
      ),
    );
    await this.change(world, machines, false);
  }

  change(world: World, { hub, prober, all }: Machines, open: boolean): Promise<Change> {
    const command = `nft ${rivalChange(table, prober, open)}`.replace(/[{}]/g, "\\$&");
    const ansible = `LC_ALL=C.UTF-8 ansible all -i /root/inventory -f ${all.length} -m raw -a '${command}'`;
    return timedOnHub(world, hub, ansible);
  }
}
