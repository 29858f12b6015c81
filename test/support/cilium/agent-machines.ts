// In: lab machines with what Cilium's agent needs beside it, and a directory with an agent. Out: an etcd, an agent on some of
// the machines, endpoints of services in network namespaces of their own, policy files, and real connections between them.
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import type { Lab } from "../../../scripts/lab-src/lab.ts";
import { until } from "../../../scripts/quickstart-src/world.ts";
import { agentOptions, policies, rangeOf } from "./agent-options.ts";
import { macOf } from "./mac-address.ts";

const socket = "/run/cilium/cilium.sock";
const programs = ["cilium-agent", "cilium-dbg", "cilium-health-responder"];

const ipamSchema = z.object({
  address: z.object({ ipv4: z.string() }),
  "host-addressing": z.object({ ipv4: z.object({ ip: z.string() }) }),
  ipv4: z.object({ "expiration-uuid": z.string() }),
});
const endpointSchema = z.object({
  status: z.object({
    state: z.string(),
    labels: z.object({ "security-relevant": z.array(z.string()).nullish() }).nullish(),
    policy: z.object({ realized: z.object({ "policy-revision": z.number().nullish() }).nullish() }).nullish(),
  }),
});
const configSchema = z.object({
  status: z.object({
    deviceMTU: z.number(),
    daemonConfigurationMap: z.record(z.string(), z.unknown()),
  }),
});

/** A service's endpoint, or a machine as it is. */
export interface Place {
  readonly machine: string;
  /** undefined: the machine's own network. */
  readonly namespace: string | undefined;
  readonly address: string;
}

export class AgentMachines {
  readonly #lab: Lab;
  readonly #etcd: string;
  readonly #cluster: string;
  readonly #texts = new Map<string, string>();

  constructor(lab: Lab, { etcd, cluster }: { readonly etcd: string; readonly cluster: string }) {
    this.#lab = lab;
    this.#etcd = etcd;
    this.#cluster = cluster;
  }

  async startEtcd(): Promise<void> {
    const url = this.#etcdUrl();
    await this.#run(
      this.#etcd,
      `systemd-run -q --unit=etcd-lab etcd --data-dir /var/lib/etcd-lab --listen-client-urls ${url} --advertise-client-urls ${url}`,
    );
    await until("etcd answers", 30_000, () => this.#tried(this.#etcd, `curl -sf ${url}/health`));
  }

  #etcdUrl(): string {
    return `http://${this.#lab.address(this.#etcd)}:2379`;
  }

  /** @param directory with the programs and `bpf/`, of one version */
  async startAgent(machine: string, directory: string): Promise<void> {
    const lab = this.#lab;
    for (const program of programs)
      await lab.copyIn(machine, join(directory, program), `/opt/cilium/${program}`, 0o755);
    const { stdout } = await execa("tar", ["-C", directory, "-cf", "-", "bpf"], {
      encoding: "buffer",
      maxBuffer: 1 << 28,
    });
    await lab.writeFile(machine, "/root/bpf.tar", stdout);
    for (const [option, value] of Object.entries(
      agentOptions({ address: lab.address(machine), etcd: this.#etcdUrl(), cluster: this.#cluster }),
    ))
      await lab.writeFile(machine, `/etc/cilium/agent.d/${option}`, value);
    await this.#run(
      machine,
      `mkdir -p ${policies} /var/lib/cilium && tar -C /var/lib/cilium -xf /root/bpf.tar && rm /root/bpf.tar
ln -sf /usr/bin/clang-19 /opt/cilium/clang
systemd-run -q --unit=cilium-agent -p LimitMEMLOCK=infinity -p TimeoutStopSec=30 -E K8S_NODE_NAME=${machine} \
  -E PATH=/opt/cilium:/usr/sbin:/usr/bin:/sbin:/bin /opt/cilium/cilium-agent --config-dir=/etc/cilium/agent.d`,
    );
  }

  /** Healthy, its datapath compiled, and as it was asked to be. */
  async untilReady(machine: string, { verifiesSources = true } = {}): Promise<void> {
    await until(`the agent of ${machine} is ready`, 180_000, async () => {
      const health = await this.#tried(machine, "curl -sf http://127.0.0.1:9879/healthz");
      if (health === undefined) return undefined;
      const found = await this.#ask(machine, "GET", "endpoint/reserved:host").catch(() => undefined);
      const endpoints = found ?? (await this.#ask(machine, "GET", "endpoint"));
      const all = z.array(endpointSchema).parse(Array.isArray(endpoints) ? endpoints : [endpoints]);
      const host = all.find(({ status }) =>
        (status.labels?.["security-relevant"] ?? []).includes("reserved:host"),
      );
      return host?.status.state === "ready" ? true : undefined;
    });
    const { daemonConfigurationMap: effective } = (await this.#config(machine)).status;
    for (const [option, wanted] of [
      ["EnableSourceIPVerification", verifiesSources],
      ["PolicyCIDRMatchMode", ["nodes"]],
    ] as const)
      if (JSON.stringify(effective[option]) !== JSON.stringify(wanted))
        throw new Error(`${machine}: ${option} is ${JSON.stringify(effective[option])}`);
  }

  async #config(machine: string) {
    return configSchema.parse(await this.#ask(machine, "GET", "config"));
  }

  /** A machine without an agent reaches the endpoints of one that has one by its address. */
  async route(machine: string, to: string): Promise<void> {
    const address = this.#lab.address(to);
    await this.#run(machine, `ip route replace ${rangeOf(address)} via ${address}`);
  }

  /** A network namespace with an endpoint that carries these labels, ready. */
  async addEndpoint(machine: string, name: string, labels: readonly string[]): Promise<Place> {
    const owner = `svc-${name}`;
    const [link, outside, inside] = [
      `lxc${name}`,
      macOf(`${machine} ${name} out`),
      macOf(`${machine} ${name} in`),
    ];
    const given = ipamSchema.parse(
      await this.#ask(machine, "POST", `ipam?family=ipv4&owner=${owner}`, undefined, "expiration: true"),
    );
    const address = given.address.ipv4;
    const gateway = given["host-addressing"].ipv4.ip;
    const mtu = (await this.#config(machine)).status.deviceMTU;
    await this.#run(
      machine,
      `ip netns add ${owner}
ip link add ${link} address ${outside} type veth peer name eth0 address ${inside} netns ${owner}
sysctl -qw net.ipv4.conf.${link}.rp_filter=0
ip link set ${link} mtu ${mtu} up
ip -n ${owner} link set lo up
ip -n ${owner} link set eth0 mtu ${mtu} up
ip -n ${owner} addr add ${address}/32 dev eth0
ip -n ${owner} route add ${gateway}/32 dev eth0 scope link
ip -n ${owner} route add default via ${gateway}`,
    );
    const index = Number(await this.#run(machine, `ip -o link show dev ${link} | cut -d: -f1`));
    await this.#ask(machine, "PUT", "endpoint/cilium-local:0", {
      state: "waiting-for-identity",
      "container-id": owner,
      "container-interface-name": "eth0",
      "interface-name": link,
      "interface-index": index,
      mac: inside,
      "host-mac": outside,
      addressing: {
        ipv4: address,
        "ipv4-expiration-uuid": given.ipv4["expiration-uuid"],
        "ipv4-pool-name": "default",
      },
      labels,
      "sync-build-endpoint": true,
      "datapath-configuration": {},
    });
    await until(`the endpoint of ${name} on ${machine} is ready`, 60_000, async () => {
      const { status } = endpointSchema.parse(
        await this.#ask(machine, "GET", `endpoint/container-id:${owner}`),
      );
      return status.state === "ready" ? true : undefined;
    });
    return { machine, namespace: owner, address };
  }

  /** @returns when every one of these endpoints judges by the files */
  async putPolicies(
    machine: string,
    files: readonly { readonly name: string; readonly text: string }[],
    names: readonly string[],
  ): Promise<void> {
    const before = await this.#revision(machine);
    // the revision rises for each file that changed
    const changed = files.filter(({ name, text }) => this.#texts.get(`${machine} ${name}`) !== text);
    for (const { name, text } of changed) {
      await this.#lab.writeFile(machine, `${policies}/${name}`, text);
      this.#texts.set(`${machine} ${name}`, text);
    }
    const wanted = before + changed.length;
    await until(`the policies of ${machine} are in force`, 60_000, async () => {
      if ((await this.#revision(machine)) < wanted) return undefined;
      for (const name of names) {
        const { status } = endpointSchema.parse(
          await this.#ask(machine, "GET", `endpoint/container-id:svc-${name}`),
        );
        if ((status.policy?.realized?.["policy-revision"] ?? 0) < wanted) return undefined;
      }
      return true;
    });
  }

  async #revision(machine: string): Promise<number> {
    const answer = await this.#ask(machine, "GET", "policy");
    return z.object({ revision: z.number() }).parse(answer).revision;
  }

  /** An option that no flag is registered for: the file alone sets it. */
  async verifySources(machine: string, verifies: boolean): Promise<void> {
    await this.#lab.writeFile(machine, "/etc/cilium/agent.d/enable-source-ip-verification", `${verifies}`);
    await this.#run(machine, "systemctl restart cilium-agent");
    await this.untilReady(machine, { verifiesSources: verifies });
  }

  /** Packets to this endpoint's port that say they come from there, from now on. */
  async countArrivals({ machine, namespace }: Place, source: string, port: number): Promise<void> {
    await this.#run(
      machine,
      `ip netns exec ${namespace} nft -f - <<END
table inet arrivals
delete table inet arrivals
table inet arrivals {
  chain input {
    type filter hook input priority 0
    ip saddr ${source} tcp dport ${port} counter
  }
}
END`,
    );
  }

  async arrivals({ machine, namespace }: Place): Promise<number> {
    const printed = await this.#run(machine, `ip netns exec ${namespace} nft list table inet arrivals`);
    return Number(/counter packets (\d+)/.exec(printed)?.[1]);
  }

  /** Sends from an address that is not its own. */
  async sendAs({ machine, namespace }: Place, source: string, to: string, port: number): Promise<void> {
    await this.#run(
      machine,
      `ip -n ${namespace} addr replace ${source}/32 dev eth0
ip netns exec ${namespace} nc -z -w 1 -s ${source} ${to} ${port} || true
ip -n ${namespace} addr del ${source}/32 dev eth0`,
    );
  }

  /** By systemd, in the endpoint's namespace, as a service of a machine would. */
  async listen({ machine, namespace }: Place, ports: readonly number[]): Promise<void> {
    const where = namespace === undefined ? "" : `-p NetworkNamespacePath=/run/netns/${namespace}`;
    for (const port of ports) await this.#run(machine, `systemd-run -q ${where} nc -lk ${port}`);
  }

  async connects(from: Place, address: string, port: number): Promise<boolean> {
    const inside = from.namespace === undefined ? "" : `ip netns exec ${from.namespace} `;
    const argv = ["sh", "-c", `${inside}nc -z -w 1 ${address} ${port}`] as const;
    return (await this.#lab.exec(from.machine, argv)).code === 0;
  }

  log(machine: string): Promise<string> {
    return this.#run(machine, "journalctl -u cilium-agent -o cat --no-pager | tail -40");
  }

  async #ask(
    machine: string,
    method: string,
    path: string,
    body?: unknown,
    header = "accept: application/json",
  ): Promise<unknown> {
    const data = body === undefined ? [] : ["-H", "content-type: application/json", "-d", "@-"];
    const argv = [
      ...([
        "curl",
        "-s",
        "--fail-with-body",
        "--max-time",
        "60",
        "--unix-socket",
        socket,
        "-X",
        method,
      ] as const),
      ...["-H", header, ...data, `http://localhost/v1/${path}`],
    ] as const;
    const answer = await this.#lab.run(
      machine,
      argv,
      body === undefined ? {} : { input: JSON.stringify(body) },
    );
    return JSON.parse(answer);
  }

  #run(machine: string, script: string): Promise<string> {
    return this.#lab.run(machine, ["sh", "-ec", script]);
  }

  async #tried(machine: string, script: string): Promise<true | undefined> {
    return (await this.#lab.exec(machine, ["sh", "-c", script])).code === 0 ? true : undefined;
  }
}
