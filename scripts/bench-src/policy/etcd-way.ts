// The home-made way: a key in etcd, and on every machine a loop that hands each new value to `nft -f -`.
import { must, until, type World } from "../../quickstart-src/world.ts";
import { type Change, type Machines, rivalChange, rivalTable, timedOnHub, type Way } from "./way.ts";

const table = "bench_etcd";
const watchLoop = (endpoint: string): string =>
  `etcdctl --endpoints ${endpoint} watch bench/policy | while read -r kind && read -r key && read -r value; do printf '%s\\n' "$value" | nft -f -; done`;

export class EtcdWay implements Way {
  readonly name = "etcd watch + nft -f loop";
  readonly port = 9001;

  async prepare(world: World, { all, hub }: Machines): Promise<void> {
    const endpoint = this.#endpoint(world, hub);
    const flags = ["--data-dir", "/var/lib/bench-etcd", "--listen-client-urls", endpoint];
    const unit = ["systemd-run", "-q", "--unit", "bench-etcd", "-p", "Type=notify", "etcd"] as const;
    await must(world, hub, [...unit, ...flags, "--advertise-client-urls", endpoint]);
    await Promise.all(
      all.map(async (machine) => {
        await must(world, machine, ["nft", "-f", "-"], { input: rivalTable(table, this.port) });
        const loop = ["/bin/sh", "-c", watchLoop(endpoint)] as const;
        await must(world, machine, ["systemd-run", "-q", "--unit", "bench-etcd-watch", ...loop]);
      }),
    );
    // a watch that is not there yet misses the change: put until every machine has it
    await until("every etcd watch", 60_000, async () => {
      await this.change(world, { all, hub, prober: "192.0.2.1" }, true);
      const sets = await Promise.all(
        all.map((machine) => must(world, machine, ["nft", "list", "set", "inet", table, "callers"])),
      );
      return sets.every((text) => text.includes("192.0.2.1")) ? true : undefined;
    });
    await this.change(world, { all, hub, prober: "192.0.2.1" }, false);
  }

  #endpoint(world: World, hub: string): string {
    return `http://${world.lab.address(hub)}:2379`;
  }

  change(world: World, { hub, prober }: Machines, open: boolean): Promise<Change> {
    const put = `etcdctl --endpoints ${this.#endpoint(world, hub)} put bench/policy`;
    return timedOnHub(world, hub, `${put} '${rivalChange(table, prober, open)}'`);
  }
}
