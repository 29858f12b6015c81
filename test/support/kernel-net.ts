// In: names and addresses of hosts. Out: a network namespace for each, all on a bridge in a namespace of its own, with
// processes in them that open real sockets as given uids. Nothing of the machine's own network is touched.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { TrafficRequest } from "./traffic.ts";

export interface HostAddresses {
  readonly v4: string;
  readonly v6: string;
}

const program = resolve(import.meta.dirname, "traffic.ts");
let count = 0;

/** A process of one uid in one host. */
export class Traffic {
  readonly #child: ChildProcess;
  readonly #waiting: ((line: string) => void)[] = [];

  /** @param wrapper a program that runs it, such as one that makes namespaces for it */
  constructor(namespace: string, uid: number, wrapper: readonly string[] = []) {
    const argv = ["netns", "exec", namespace, ...wrapper, process.execPath, program, String(uid)];
    this.#child = spawn("ip", argv, {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("no stdout");
    createInterface({ input: stdout }).on("line", (line) => this.#waiting.shift()?.(line));
    this.#child.once("exit", () => {
      for (const settle of this.#waiting.splice(0)) settle("process ended");
    });
  }

  ask(request: TrafficRequest): Promise<string> {
    return new Promise((settle) => {
      this.#waiting.push(settle);
      this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    });
  }

  async listen(port: number, protocol: "tcp" | "udp" = "tcp", host?: string): Promise<void> {
    const result = await this.ask({ op: "listen", port, protocol, ...(host === undefined ? {} : { host }) });
    if (result !== "listening") throw new Error(`cannot listen on ${port}/${protocol}: ${result}`);
  }

  dial(host: string, port: number, protocol: "tcp" | "udp" = "tcp"): Promise<string> {
    return this.ask({ op: "dial", host, port, protocol });
  }

  /** A connection that stays. */
  dialAndKeep(keep: string, host: string, port: number): Promise<string> {
    return this.ask({ op: "dial", host, port, keep });
  }

  stop(): Promise<void> {
    return new Promise((settle) => {
      if (this.#child.exitCode !== null) settle();
      else {
        this.#child.once("exit", () => settle());
        this.#child.kill("SIGKILL");
      }
    });
  }
}

export class KernelNet {
  readonly #prefix: string;
  readonly #traffic = new Map<string, Traffic>();
  readonly #namespaces: string[] = [];

  constructor() {
    count++;
    this.#prefix = `weft-k${process.pid}-${count}`;
  }

  up(hosts: Readonly<Record<string, HostAddresses>>): void {
    const bridge = this.#make("switch");
    this.#ip(bridge, "link add br0 type bridge");
    this.#ip(bridge, "link set br0 up");
    for (const [name, { v4, v6 }] of Object.entries(hosts)) {
      const namespace = this.#make(name);
      // no waiting for duplicate address detection: before there is a link, which takes the default at its birth
      this.#kernelSwitch(name, "ipv6/conf/all/accept_dad", "0");
      this.#kernelSwitch(name, "ipv6/conf/default/accept_dad", "0");
      this.#ip(namespace, `link add eth0 type veth peer name ${name} netns ${bridge}`);
      this.#ip(bridge, `link set ${name} master br0 up`);
      // any user may ping, by a socket of its own
      this.#kernelSwitch(name, "ipv4/ping_group_range", "0 2147483647");
      this.#ip(namespace, "link set lo up");
      this.#ip(namespace, `addr add ${v4}/24 dev eth0`);
      this.#ip(namespace, `addr add ${v6}/64 dev eth0 nodad`);
      this.#ip(namespace, "link set eth0 up");
    }
  }

  /** A container behind a host: a namespace of its own, routed and masqueraded by the host. */
  addContainer(name: string, host: string, subnet: string, subnet6?: string): void {
    const namespace = this.#make(name);
    const outer = this.namespaceOf(host);
    this.#ip(namespace, `link add eth0 type veth peer name c-${name} netns ${outer}`);
    this.#ip(outer, `addr add ${subnet}.1/24 dev c-${name}`);
    this.#ip(outer, `link set c-${name} up`);
    this.#ip(namespace, "link set lo up");
    this.#ip(namespace, `addr add ${subnet}.2/24 dev eth0`);
    this.#ip(namespace, "link set eth0 up");
    this.#ip(namespace, `route add default via ${subnet}.1`);
    this.#kernelSwitch(host, "ipv4/ip_forward", "1");
    if (subnet6 === undefined) return;
    this.#ip(outer, `addr add ${subnet6}::1/64 dev c-${name} nodad`);
    this.#ip(namespace, `addr add ${subnet6}::2/64 dev eth0 nodad`);
    this.#ip(namespace, `route add default via ${subnet6}::1`);
    this.#kernelSwitch(host, "ipv6/conf/all/forwarding", "1");
  }

  #kernelSwitch(host: string, name: string, value: string): void {
    this.run(host, ["sh", "-c", `echo ${value} > /proc/sys/net/${name}`]);
  }

  namespaceOf(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  /** Runs a program in a host and returns what it printed; throws when it fails. */
  run(name: string, command: readonly string[], input = ""): string {
    const args = ["netns", "exec", this.namespaceOf(name), ...command];
    return execFileSync("ip", args, {
      input,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
      maxBuffer: 64 << 20,
    });
  }

  nft(name: string, script: string): void {
    this.run(name, ["nft", "-f", "-"], script);
  }

  /** By a process of that uid. */
  ping(name: string, uid: number, address: string): "open" | "silent" {
    const user = ["setpriv", `--reuid=${uid}`, "--regid=2999", "--clear-groups"];
    const { status } = spawnSync(
      "ip",
      ["netns", "exec", this.namespaceOf(name), ...user, "ping", "-c1", "-W2", address],
      { stdio: "ignore" },
    );
    return status === 0 ? "open" : "silent";
  }

  /** The process of that uid in that host; made when first asked for. */
  as(name: string, uid: number): Traffic {
    const key = `${name} ${uid}`;
    const found = this.#traffic.get(key) ?? new Traffic(this.namespaceOf(name), uid);
    this.#traffic.set(key, found);
    return found;
  }

  /** The same as a container that shares the host's network has it: every other namespace is its own. */
  asContained(name: string, uid: number): Traffic {
    const key = `${name} ${uid} contained`;
    const wrapper = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"];
    const found = this.#traffic.get(key) ?? new Traffic(this.namespaceOf(name), uid, wrapper);
    this.#traffic.set(key, found);
    return found;
  }

  /** Another host, without a link yet. */
  add(name: string): string {
    return this.#make(name);
  }

  async down(): Promise<void> {
    await Promise.all([...this.#traffic.values()].map((traffic) => traffic.stop()));
    for (const namespace of this.#namespaces.reverse()) execFileSync("ip", ["netns", "del", namespace]);
  }

  #make(name: string): string {
    const namespace = this.namespaceOf(name);
    execFileSync("ip", ["netns", "add", namespace]);
    this.#namespaces.push(namespace);
    return namespace;
  }

  #ip(namespace: string, command: string): void {
    execFileSync("ip", ["-n", namespace, ...command.split(" ")]);
  }
}
