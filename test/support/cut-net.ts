// Machines for tests of the cut: PolicyNet with containers behind masquerade and behind a published port, with both ends of
// flows in them, and the cutter as if it ran there.
import { NamespaceNetworks } from "../../packages/node-agent/src/cut/other-networks.ts";
import type { Exec, Files } from "../../packages/node-agent/src/host/host.ts";
import { LinuxExec } from "../../packages/node-agent/src/host/linux-exec.ts";
import { LinuxFiles } from "../../packages/node-agent/src/host/linux-files.ts";
import { KernelFlowCutter } from "../../packages/node-agent/src/policy/flow-cutter.ts";
import { installHostPrograms } from "../../scripts/lab-src/host-programs.ts";
import { FlowHost } from "./flow-host.ts";
import { labProgress } from "./lab.ts";
import { PolicyNet } from "./policy-net.ts";

export type Family = "v4" | "v6";

const cages = { v4: "172.29.1.0/24", v6: "fd29:1::/64" };
const quoted = (text: string) => JSON.stringify(text);

export class CutNet {
  readonly lab = new PolicyNet();
  readonly exec = new LinuxExec();
  readonly #ends = new Map<string, FlowHost>();
  /** shop may still, and so may the node's root; web and the containers may not; and web may go nowhere outside. */
  readonly closed = `policies:
  - { name: shop-to-api, from: [shop], to: api }
defaults: { egress: deny }
`;

  head(family: Family): string {
    const { address } = this.lab;
    return `
nodes:
  hub: { address: ${quoted(address.hub[family])} }
  web1: { address: ${quoted(address.web1[family])} }
  api1: { address: ${quoted(address.api1[family])} }
services:
  web: { nodes: [web1], user: web }
  shop: { nodes: [web1], user: shop }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, tls: 8443/tcp } }
`;
  }

  open(family: Family, ...more: readonly string[]): string {
    const ranges = [cages[family], ...more].map((range) => `{ cidr: ${quoted(range)} }`).join(", ");
    return `policies:\n  - { name: web-to-api, from: [web, shop, "node:web1", ${ranges}], to: api }\n`;
  }

  /** The process of that uid there; made when first asked for. */
  on(host: string, uid: number): FlowHost {
    const key = `${host} ${uid}`;
    const found = this.#ends.get(key) ?? FlowHost.in(this.lab.net.namespaceOf(host), uid);
    this.#ends.set(key, found);
    return found;
  }

  /** As if it ran on that machine. */
  execOn(host: string): Exec {
    return {
      run: (program, args, options) =>
        this.exec.run("ip", ["netns", "exec", this.lab.net.namespaceOf(host), program, ...args], options),
      lines: () => ({ done: Promise.resolve(0), pid: undefined }),
    };
  }

  /** The same for what it reads in /proc; every machine here may pass something on. */
  filesOn(host: string): Files {
    const files = new LinuxFiles();
    const key = [...this.#ends.keys()].find((item) => item.startsWith(`${host} `)) ?? "";
    const pid = this.#ends.get(key)?.pid;
    if (pid === undefined) throw new Error(`no process at ${host}`);
    const readText = async (path: string) =>
      path.endsWith("/ip_forward") ? "1" : files.readText(path.replace("/proc/net/", `/proc/${pid}/net/`));
    return Object.assign(Object.create(files) as Files, { readText });
  }

  cutterOn(host: string): KernelFlowCutter {
    return new KernelFlowCutter({
      exec: this.execOn(host),
      files: this.filesOn(host),
      others: new NamespaceNetworks(this.exec, new LinuxFiles()),
      canEndSockets: async () => true,
    });
  }

  async up(): Promise<void> {
    const { net, address, user } = this.lab;
    await installHostPrograms(["ip", "nft", "conntrack"], labProgress);
    net.up(address);
    net.addContainer("cage", "web1", "172.29.1", "fd29:1");
    net.addContainer("crate", "api1", "172.29.2", "fd29:2");
    // small, so that what is not read waits at the sender
    for (const host of ["web1", "api1"])
      net.run(host, ["sh", "-c", "echo 4096 65536 65536 > /proc/sys/net/ipv4/tcp_rmem"]);
    const chain = (family: string, name: string, hook: string, priority: number) =>
      `add table ${family} t-nat\nadd chain ${family} t-nat ${name} { type nat hook ${hook} priority ${priority}; }\n`;
    net.nft(
      "web1",
      `${chain("inet", "post", "postrouting", 100)}add rule inet t-nat post oifname eth0 ip saddr 172.29.1.0/24 masquerade
add rule inet t-nat post oifname eth0 ip6 saddr fd29:1::/64 masquerade\n`,
    );
    net.nft(
      "api1",
      `${chain("inet", "pre", "prerouting", -100)}add rule inet t-nat pre iifname eth0 tcp dport 8443 dnat ip to 172.29.2.2:80
add rule inet t-nat pre iifname eth0 tcp dport 8443 dnat ip6 to [fd29:2::2]:80\n`,
    );
    await Promise.all([
      this.on("api1", user.api).listen(8080),
      this.on("crate", user.root).listen(80),
      this.on("rogue", user.root).listen(9999),
      this.on("hub", user.root).listen(22),
      this.on("web1", user.shop).listen(7000),
    ]);
  }

  async down(): Promise<void> {
    await Promise.all([...this.#ends.values()].map((end) => end.stop()));
    await this.lab.net.down();
  }
}
