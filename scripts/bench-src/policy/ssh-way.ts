// ssh to all machines at once, over sessions that are kept open, each running `nft -f -`.
import { must, type World } from "../../quickstart-src/world.ts";
import { type Change, type Machines, rivalChange, rivalTable, timedOnHub, type Way } from "./way.ts";

const table = "bench_ssh";

const clientConfig = `Host *
  User root
  IdentityFile /root/.ssh/bench
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ControlMaster auto
  ControlPath /run/bench-ssh-%h
  ControlPersist 1h
`;

/** An ssh server on every machine, and the hub's key known to all. */
export async function prepareSsh(world: World, { all, hub }: Machines): Promise<void> {
  await must(world, hub, ["mkdir", "-p", "-m", "700", "/root/.ssh"]);
  await must(world, hub, ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/bench"]);
  const key = await world.lab.readFile(hub, "/root/.ssh/bench.pub");
  await world.lab.writeFile(hub, "/root/.ssh/config", clientConfig, 0o600);
  await Promise.all(
    all.map(async (machine) => {
      await must(world, machine, ["mkdir", "-p", "-m", "700", "/root/.ssh"]);
      await world.lab.writeFile(machine, "/root/.ssh/authorized_keys", key, 0o600);
      const daemon = ["/usr/sbin/sshd", "-D", "-o", "PermitRootLogin=prohibit-password"] as const;
      const unit = ["systemd-run", "-q", "--unit", "bench-sshd", "-p", "RuntimeDirectory=sshd"] as const;
      await must(world, machine, [...unit, ...daemon]);
    }),
  );
}

export class SshWay implements Way {
  readonly name = "ssh, sessions kept, nft -f -";
  readonly port = 9002;

  async prepare(world: World, machines: Machines): Promise<void> {
    await prepareSsh(world, machines);
    await Promise.all(
      machines.all.map((machine) =>
        must(world, machine, ["nft", "-f", "-"], { input: rivalTable(table, this.port) }),
      ),
    );
    await this.change(world, machines, false);
  }

  change(world: World, { all, hub, prober }: Machines, open: boolean): Promise<Change> {
    const text = rivalChange(table, prober, open);
    const addresses = all.map((machine) => world.lab.address(machine)).join(" ");
    const each = `for a in ${addresses}; do echo '${text}' | ssh "$a" nft -f - & pids="$pids $!"; done`;
    return timedOnHub(world, hub, `${each}; for p in $pids; do wait "$p" || exit 1; done`);
  }
}
