// A hub and some nodes on lab machines, for the dead-man laws: each node with something that stands for sshd, watched by
// a client outside the mesh. In: how many extra nodes. Out: mesh files that cut the client off and that do not, kills,
// revivals, and what kernel, disk and coordinator say.
import { readFileSync } from "node:fs";
import { parseScriptHeader } from "../../../packages/shared/src/render/nftables-script-header.ts";
import type { MachineProcess } from "../../../scripts/lab-src/machine-process.ts";
import { initHub, installMachine, invite, join } from "../../../scripts/quickstart-src/bring-up.ts";
import { fleetEnforced, statusOf } from "../../../scripts/quickstart-src/proofs/survival.ts";
import { must, textOf, until, type World } from "../../../scripts/quickstart-src/world.ts";

/** Stands for sshd, and for a service that listens before the network is up; both are there after a reboot, too. */
const socketUnit = (port: number) => `[Unit]
DefaultDependencies=no
Before=network-pre.target
[Socket]
ListenStream=0.0.0.0:${port}
[Install]
WantedBy=sysinit.target
`;
const serviceUnit = "[Service]\nExecStart=/usr/bin/perl /srv/ssh-stand-in.pl\n";
const here = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
const allowKills = ["GUARD-ADMIN", "GUARD-PORT", "FLIP-GUARD"].flatMap((code) => ["--accept-risk", code]);
export const sshPort = 22;
/** Declared, allowed to nobody, and listening from before the network is up. */
export const earlyPort = 8090;

export interface Carried {
  /** What judges, by the kernel; what a boot would load, by the disk. */
  readonly kernel: string;
  readonly disk: string;
  readonly armed: boolean;
  readonly pending: boolean;
}

export class DeadManFleet {
  readonly nodes: readonly string[];
  readonly #world: World;
  #prober: MachineProcess | undefined;

  constructor(world: World, nodes: readonly string[]) {
    this.#world = world;
    this.nodes = nodes;
  }

  get world(): World {
    return this.#world;
  }

  on(machine: string, ...argv: [string, ...string[]]): Promise<string> {
    return must(this.#world, machine, argv);
  }

  sh(machine: string, script: string): Promise<string> {
    return this.on(machine, "sh", "-c", script);
  }

  each<T>(work: (node: string) => Promise<T>, nodes = this.nodes): Promise<T[]> {
    return Promise.all(nodes.map(work));
  }

  async bringUp(): Promise<void> {
    const world = this.#world;
    const { lab } = world;
    await Promise.all([
      installMachine(world, "hub", "coordinator"),
      this.each((node) => installMachine(world, node, "agent")),
    ]);
    await initHub(world);
    await this.each(async (node) => {
      await lab.writeFile(node, "/srv/ssh-stand-in.pl", here("./ssh-stand-in.pl"), 0o644);
      for (const port of [sshPort, earlyPort]) {
        await lab.writeFile(node, `/etc/systemd/system/tcp${port}.socket`, socketUnit(port), 0o644);
        await lab.writeFile(node, `/etc/systemd/system/tcp${port}.service`, serviceUnit, 0o644);
      }
      await this.sh(
        node,
        `for user in web mallory; do id -u $user >/dev/null 2>&1 || useradd -r $user; done
systemctl enable --now -q tcp${sshPort}.socket tcp${earlyPort}.socket`,
      );
    });
    await this.applied(this.good(8000));
    await this.each(async (node) => join(world, node, await invite(world, node)));
    await fleetEnforced(world, ["hub", ...this.nodes]);
  }

  #mesh(port: number, admin: string, more: string): string {
    const address = (node: string) => `  ${node}: { address: ${this.#world.lab.address(node)} }\n`;
    const nodes = `[${this.nodes.join(", ")}]`;
    return `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53], mode: "off" }
guard: { admin: [${admin}], ports: [${sshPort}/tcp] }
nodes:
${["hub", ...this.nodes].map(address).join("")}services:
  web: { nodes: ${nodes}, user: web, ports: { http: ${port}/tcp, early: ${earlyPort}/tcp } }
${more}`;
  }

  /** The coordinator and its operator, rogue, reach port 22 of every node. */
  good(port: number): string {
    return this.#mesh(port, "10.77.0.66/32", "");
  }

  /** Port 22 of every node becomes a service's that nobody may call, and rogue is no operator any more. */
  bad(port: number): string {
    const trap = `  trap: { nodes: [${this.nodes.join(", ")}], user: mallory, ports: { ssh: ${sshPort}/tcp } }\n`;
    return this.#mesh(port, "192.0.2.1/32", trap);
  }

  async apply(text: string, confirmSeconds: number, ...flags: string[]): Promise<string> {
    const { lab } = this.#world;
    await lab.writeFile("hub", "/root/mesh.yaml", text, 0o644);
    const command = ["weft", "apply", "/root/mesh.yaml", "--confirm-timeout", `${confirmSeconds}s`] as const;
    const result = await lab.exec("hub", [...command, ...allowKills, ...flags]);
    const said = textOf(result);
    // 1 and 4: undone by nodes, which is what is looked for here
    if (![0, 1, 4].includes(result.code) || said.includes("nothing was changed")) throw new Error(said);
    return said;
  }

  /** A good one, and in force everywhere before it returns. */
  async applied(text: string): Promise<void> {
    const said = await this.apply(text, 20, "--wait");
    if (!said.includes("in force everywhere")) throw new Error(said);
  }

  async carried(node: string): Promise<Carried> {
    const all = await this.sh(
      node,
      `nft list set inet weft rev; echo =; nft list set inet weft armed; echo =
ls /var/lib/weft/policy/pending.nft 2>/dev/null; echo =; cat /var/lib/weft/policy/confirmed.nft`,
    );
    const [rev = "", armed = "", pending = "", disk = ""] = all.split(/^=\n/m);
    return {
      kernel: /digest=(\w+)/.exec(rev)?.[1] ?? "",
      disk: parseScriptHeader(disk)?.digest ?? "",
      armed: /elements/.test(armed),
      pending: pending !== "",
    };
  }

  /** Of one mind: the coordinator has the node's last word of the newest state, and disk and kernel are the same. */
  async agreement(nodes = this.nodes, deadlineMs = 60_000): Promise<Map<string, string>> {
    const words = await until(`${nodes.join(", ")} have come to rest`, deadlineMs, async () => {
      const found = (await statusOf(this.#world)).filter(({ name }) => nodes.includes(name));
      const rest = found.filter(
        ({ state, revision }) => state === "Online" && /^(ENFORCED|REVERTED)$/.test(revision.verdict),
      );
      if (rest.length === nodes.length)
        return new Map(rest.map(({ name, revision }) => [name, revision.verdict]));
      throw new Error(found.map((node) => `${node.name} ${node.state} ${node.revision.verdict}`).join(", "));
    });
    await this.each(async (node) => {
      const { kernel, disk, armed, pending } = await this.carried(node);
      if (kernel === "" || kernel !== disk || armed || pending)
        throw new Error(`${node}: kernel ${kernel}, disk ${disk}, armed ${armed}, pending ${pending}`);
    }, nodes);
    return words;
  }

  /** systemd does not start them again: dead is dead. */
  async stayDead(isDead: boolean): Promise<void> {
    const script = (unit: string) =>
      isDead
        ? `mkdir -p /etc/systemd/system/${unit}.service.d
printf '[Service]\\nRestart=no\\n' > /etc/systemd/system/${unit}.service.d/dead.conf; systemctl daemon-reload`
        : `rm -rf /etc/systemd/system/${unit}.service.d; systemctl daemon-reload`;
    await Promise.all([
      this.sh("hub", script("weft-coordinator")),
      this.each((node) => this.sh(node, script("weft-node-agent"))),
    ]);
  }

  #daemons(nodes: readonly string[]): (readonly [string, string])[] {
    return [["hub", "weft-coordinator"], ...nodes.map((node) => [node, "weft-node-agent"] as const)];
  }

  /** Coordinator and agents, all at once. */
  async killAll(nodes = this.nodes): Promise<void> {
    await Promise.all(
      this.#daemons(nodes).map(([machine, unit]) =>
        this.on(machine, "systemctl", "kill", "-s", "KILL", unit),
      ),
    );
    await this.allDead(nodes);
  }

  async allDead(nodes = this.nodes): Promise<void> {
    await Promise.all(
      this.#daemons(nodes).map(([machine, unit]) =>
        until(`${unit} of ${machine} is dead`, 10_000, async () => {
          const { stdout } = await this.#world.lab.exec(machine, ["systemctl", "is-active", unit]);
          return stdout.trim() === "failed" ? true : undefined;
        }),
      ),
    );
  }

  async reviveAll(): Promise<void> {
    await Promise.all(
      this.#daemons(this.nodes).map(([machine, unit]) =>
        this.sh(machine, `systemctl reset-failed -q ${unit}; systemctl start ${unit}`),
      ),
    );
    await until("the coordinator answers", 30_000, async () => {
      await statusOf(this.#world);
      return true;
    });
  }

  async startProber(): Promise<void> {
    const { lab } = this.#world;
    await lab.writeFile("rogue", "/srv/reach-prober.pl", here("./reach-prober.pl"), 0o644);
    const targets = this.nodes.flatMap((node) =>
      [sshPort, earlyPort].flatMap((port) => [lab.address(node), String(port)]),
    );
    this.#prober = await lab.spawn("rogue", ["perl", "/srv/reach-prober.pl", ...targets]);
  }

  async stopProber(): Promise<void> {
    this.#prober?.kill("SIGTERM");
    await this.#prober?.exited;
  }

  /** When the client's view of a node's port changed, oldest first. */
  seen(node: string, port: number): { readonly at: number; readonly isOpen: boolean }[] {
    const prefix = `${this.#world.lab.address(node)} ${port} `;
    return (this.#prober?.lines ?? []).flatMap((line) => {
      const [time = "", ...rest] = line.split(" ");
      const what = rest.join(" ");
      return what.startsWith(prefix) ? [{ at: Number(time) * 1000, isOpen: what.endsWith("open") }] : [];
    });
  }

  isOpen(node: string): boolean {
    return this.seen(node, sshPort).at(-1)?.isOpen === true;
  }

  /** The client's view of port 22 of all nodes. */
  async untilClient(isOpen: boolean, deadlineMs: number, nodes = this.nodes): Promise<void> {
    await until(
      `port 22 of ${nodes.join(", ")} is ${isOpen ? "open" : "closed"} to the client`,
      deadlineMs,
      async () => {
        const others = nodes.filter((node) => this.isOpen(node) !== isOpen);
        if (others.length === 0) return true;
        throw new Error(`not ${others.join(", ")}`);
      },
      10,
    );
  }

  /** Each of them was closed to the client at some moment since; on a busy machine not all at the same one. */
  async untilCut(since: number, deadlineMs: number): Promise<void> {
    await until(
      "every node has cut the client off",
      deadlineMs,
      async () => {
        const cut = (node: string) =>
          this.seen(node, sshPort).some(({ at, isOpen }) => at >= since && !isOpen);
        const others = this.nodes.filter((node) => !cut(node));
        if (others.length === 0) return true;
        throw new Error(`not ${others.join(", ")}`);
      },
      10,
    );
  }
}
