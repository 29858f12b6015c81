// In: real programs of etcd. Out: members on loopback with certificates as SPIRE would give them, each with the keeper of its
// node, whose clock is moved by hand; and anybody else who tries the cluster with a certificate.
// over 300 lines: a cluster of real members, and all that is done to it
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EtcdKeeper, type EtcdStanding } from "../../packages/node-agent/src/etcd/etcd-keeper.ts";
import type { Host } from "../../packages/node-agent/src/host/host.ts";
import { LinuxExec } from "../../packages/node-agent/src/host/linux-exec.ts";
import { linuxHost } from "../../packages/node-agent/src/host/linux-host.ts";
import type { DesiredEtcdCluster } from "../../packages/shared/src/model/desired-etcd.ts";
import { clientsName, clusterName, type SvidFiles } from "../../packages/shared/src/render/etcd-places.ts";
import type { EtcdPrograms } from "./etcd-programs.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { makeLeaf, makeRoot } from "./test-ca.ts";

const zone = "mesh.internal";

export interface Member {
  readonly node: string;
  readonly client: string;
  readonly peer: string;
  readonly data: string;
  readonly keeper: EtcdKeeper;
}

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class EtcdCluster {
  readonly folder = mkdtempSync(join(tmpdir(), "weft-etcd-"));
  readonly mesh = "test";
  readonly programs: EtcdPrograms;
  readonly lines: string[] = [];
  /** Before each call of a keeper: its arguments and its input. */
  before: ((args: readonly string[], input: string) => unknown) | undefined;
  /** ms that the keepers' clock is ahead */
  ahead = 0;
  readonly #root = makeRoot(zone);
  readonly #members = new Map<string, Member>();
  readonly #running = new Map<string, ChildProcess>();

  constructor(programs: EtcdPrograms) {
    this.programs = programs;
  }

  nameOf(node: string): string {
    return `${node}.node.${zone}`;
  }

  /** What SPIRE would give. Without names it gives no common name either. */
  certificate(id: string, dnsNames: readonly string[]): SvidFiles {
    const files = svidFilesAt(join(this.folder, id.replaceAll("/", "-")));
    const [commonName] = dnsNames;
    const names = commonName === undefined ? {} : { dnsNames, commonName };
    const leaf = makeLeaf(this.#root, `spiffe://${zone}/${id}`, names);
    writeFileSync(files.bundle, this.#root.pem);
    writeFileSync(files.certificate, leaf.pem);
    writeFileSync(files.key, leaf.keyPem, { mode: 0o600 });
    return files;
  }

  client(node: string): SvidFiles {
    return this.certificate(`weft/cilium/${node}`, [`${node}.cilium.weft`, clientsName]);
  }

  async prepare(node: string): Promise<Member> {
    const names = [this.nameOf(node), clusterName(zone), "localhost"];
    const svid = this.certificate(`weft/etcd/${node}`, names);
    const ports = { client: await freePort(), peer: await freePort() };
    const client = `https://localhost:${ports.client}`;
    const peer = `https://localhost:${ports.peer}`;
    const data = join(this.folder, node);
    const keeper = this.#keeperOf(node, client, svid);
    const member = { node, client, peer, data, keeper };
    this.#members.set(node, member);
    return member;
  }

  /** The node's agent was started again. */
  anew(node: string): void {
    const member = this.#at(node);
    const svid = svidFilesAt(join(this.folder, `weft-etcd-${node}`));
    this.#members.set(node, { ...member, keeper: this.#keeperOf(node, member.client, svid) });
  }

  #keeperOf(node: string, client: string, svid: SvidFiles): EtcdKeeper {
    const exec = new LinuxExec();
    const host: Host = {
      ...linuxHost(),
      exec: {
        run: async (program, args, options) => {
          await this.before?.(args, options?.input ?? "");
          return await exec.run(program, args, options);
        },
        lines: exec.lines.bind(exec),
      },
      clock: {
        now: () => new Date(Date.now() + this.ahead),
        sleep: () => Promise.reject(new Error("a keeper never sleeps")),
      },
    };
    const log = (line: string) => void this.lines.push(`${node}: ${line}`);
    return new EtcdKeeper(
      { host, log: { info: log, warn: log, error: log } },
      {
        program: this.programs.etcdctl,
        endpoint: client,
        svid,
        backups: join(this.folder, `backups-${node}`),
        peerUrl: (member) => this.#at(member.node).peer,
      },
    );
  }

  #at(node: string): Member {
    const member = this.#members.get(node);
    if (member === undefined) throw new Error(`no member ${node}`);
    return member;
  }

  clientUrl(node: string): string {
    return this.#at(node).client;
  }

  backups(node: string): string {
    return join(this.folder, `backups-${node}`);
  }

  /** @param beside the others that are there from the beginning, or already there */
  async start(
    node: string,
    { beside = [], state = "new", quota = 0 }: { beside?: string[]; state?: string; quota?: number } = {},
  ): Promise<void> {
    const { client, peer, data } = this.#at(node);
    const svid = svidFilesAt(join(this.folder, `weft-etcd-${node}`));
    const all = [node, ...beside].map((each) => `${each}=${this.#at(each).peer}`);
    const listen = (url: string) => url.replace("localhost", "127.0.0.1");
    const log = openSync(join(this.folder, `${node}.log`), "a");
    const options = {
      name: node,
      "data-dir": data,
      "listen-client-urls": listen(client),
      "advertise-client-urls": client,
      "listen-peer-urls": listen(peer),
      "initial-advertise-peer-urls": peer,
      "initial-cluster": all.join(","),
      "initial-cluster-state": state,
      "client-cert-auth": true,
      "trusted-ca-file": svid.bundle,
      "cert-file": svid.certificate,
      "key-file": svid.key,
      "client-cert-allowed-hostname": `${clusterName(zone)},${clientsName}`,
      "peer-client-cert-auth": true,
      "peer-trusted-ca-file": svid.bundle,
      "peer-cert-file": svid.certificate,
      "peer-key-file": svid.key,
      "peer-cert-allowed-hostname": clusterName(zone),
      "tls-min-version": "TLS1.3",
      "quota-backend-bytes": quota,
      "unsafe-no-fsync": true,
    };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const child = spawn(this.programs.etcd, args, { stdio: ["ignore", log, log] });
    this.#running.set(node, child);
    await eventually(
      `the member ${node} starts`,
      () => {
        if (child.exitCode === null) return this.log(node).includes("ready to serve client requests");
        throw new Error(this.log(node).split("\n").slice(-8).join("\n"));
      },
      30_000,
    );
  }

  log(node: string): string {
    return readFileSync(join(this.folder, `${node}.log`), "utf8");
  }

  async kill(node: string): Promise<void> {
    const child = this.#running.get(node);
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    this.#running.delete(node);
    // a member that starts again says again that it is ready
    writeFileSync(join(this.folder, `${node}.log`), "");
  }

  async dispose(): Promise<void> {
    for (const node of this.#running.keys()) await this.kill(node);
    rmSync(this.folder, { recursive: true, force: true });
  }

  desired(
    members: readonly string[],
    clients: readonly (readonly [string, readonly string[]])[],
  ): DesiredEtcdCluster {
    return {
      members: members.map((node) => ({ node, address: "127.0.0.1", name: this.nameOf(node) })),
      clients: clients.map(([node, addresses], i) => ({
        node,
        address: `10.77.0.${10 + i}`,
        name: `${node}.cilium.weft`,
        addresses,
      })),
    };
  }

  keep(node: string, cluster: DesiredEtcdCluster): Promise<EtcdStanding> {
    const { keeper } = this.#at(node);
    return keeper.keep({ mesh: this.mesh, node }, cluster, new AbortController().signal);
  }

  /** A minute later, by the keepers' clock. */
  async nextRound(node: string, cluster: DesiredEtcdCluster, minutes = 1): Promise<EtcdStanding> {
    this.ahead += minutes * 60_000 + 1;
    return await this.keep(node, cluster);
  }

  /** Until all of it is done. */
  settle(node: string, cluster: DesiredEtcdCluster): Promise<EtcdStanding> {
    return eventually(
      `${node} has nothing to do`,
      async () => {
        const standing = await this.keep(node, cluster);
        // only one that is quiet is the same again
        return standing === (await this.keep(node, cluster)) && standing;
      },
      60_000,
    );
  }

  /** etcdctl with that certificate, at that member. */
  async ctl(node: string, svid: SvidFiles, args: readonly string[], input?: string): Promise<Said> {
    const flags = ["--endpoints", this.#at(node).client, "--cacert", svid.bundle];
    const own = [
      "--cert",
      svid.certificate,
      "--key",
      svid.key,
      "--command-timeout=30s",
      "--dial-timeout=30s",
    ];
    return await new LinuxExec().run(this.programs.etcdctl, [...flags, ...own, ...args], {
      allow: [0, 1, 2, 3, 4, 5, 128],
      timeoutMs: 40_000,
      ...(input === undefined ? {} : { input }),
    });
  }

  /** As this member's own node, which may do everything. */
  async admin(node: string, ...args: readonly string[]): Promise<string> {
    const svid = svidFilesAt(join(this.folder, `weft-etcd-${node}`));
    const { code, stdout, stderr } = await this.ctl(node, svid, args);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  async tryAdmin(node: string, ...args: readonly string[]): Promise<boolean> {
    const svid = svidFilesAt(join(this.folder, `weft-etcd-${node}`));
    return (await this.ctl(node, svid, args)).code === 0;
  }

  /** Writes 512 KiB a time till no more is taken. @param keys over how many they are spread */
  async fill(node: string, key: string, keys: number): Promise<void> {
    const text = "x".repeat(512 * 1024);
    const svid = svidFilesAt(join(this.folder, `weft-etcd-${node}`));
    for (let i = 0; i < 100; i++) {
      const { code } = await this.ctl(node, svid, ["put", `${key}/${i % keys}`], text);
      if (code !== 0) return;
    }
    throw new Error("the quota is never used up");
  }

  /** As docs/etcd.md says. */
  restore(node: string, copy: string): void {
    const { data, peer } = this.#at(node);
    rmSync(data, { recursive: true });
    const cluster = ["--name", node, `--initial-cluster=${node}=${peer}`];
    const own = [`--initial-advertise-peer-urls=${peer}`, "--data-dir", data];
    const revision = ["--bump-revision", "1000000000", "--mark-compacted"];
    execFileSync(this.programs.etcdutl, ["snapshot", "restore", copy, ...cluster, ...own, ...revision], {
      stdio: "pipe",
    });
  }

  async keys(node: string, prefix: string): Promise<string[]> {
    const text = await this.admin(node, "get", "--prefix", "--keys-only", prefix);
    return text.split("\n").filter((line) => line !== "");
  }
}

function svidFilesAt(folder: string): SvidFiles {
  mkdirSync(folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  return { bundle: at("bundle.pem"), certificate: at("svid.pem"), key: at("svid.key") };
}
