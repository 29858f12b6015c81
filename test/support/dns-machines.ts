// In: a lab. Out: its machines with the DNS part of the node agent on them (test/support/dns-driver.ts), run in the
// agent's own sandbox, and what a test asks of such a machine.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type {
  DesiredContent,
  DesiredDns,
  DnsMode,
  DnsRecord,
} from "../../packages/shared/src/model/desired.ts";
import type { Command, Lab } from "../../scripts/lab-src/lab.ts";
import { emptyContent } from "./desired.ts";

const root = resolve(import.meta.dirname, "../..");
export const zone = "mesh.internal";
export const records: readonly DnsRecord[] = [
  { name: `web1.node.${zone}`, type: "A", value: "10.77.0.11" },
  { name: `api1.node.${zone}`, type: "A", value: "10.77.0.12" },
  { name: `rogue.node.${zone}`, type: "A", value: "10.77.0.66" },
  { name: `api.${zone}`, type: "A", value: "10.77.0.12" },
  { name: `api.${zone}`, type: "A", value: "10.77.0.13" },
];
const driver = ["/opt/weft/lib/node", "/opt/weft/dns-driver.mjs"] as const;
const agentUnit = join(root, "packages/node-agent/systemd/weft-node-agent.service");

/** The agent's own sandbox around the driver: what its unit forbids must not be needed. */
const sandboxed: Command = [
  "systemd-run",
  "--pipe",
  "--wait",
  "--quiet",
  "--collect",
  ...readFileSync(agentUnit, "utf8")
    .split("\n")
    .filter((line) =>
      /^(Capab|NoNew|Protect|ReadWrite|Private|Restrict[A-Z]|Lock|Keyring|System|UMask|State)\w*=/.test(line),
    )
    .flatMap((line) => ["-p", line]),
  ...driver,
];

export interface Outcome {
  readonly decision: { readonly mode: string; readonly why: string };
  readonly end: string;
  readonly steps: readonly { readonly step: string; readonly result: string; readonly detail: string }[];
  readonly conditions: readonly { readonly code: string; readonly detail: string }[];
}

export class DnsMachines {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  wanted(machine: string, mode: DnsMode, dns: Partial<DesiredDns> = {}): DesiredContent {
    const base = emptyContent(machine, this.#lab.address(machine));
    return { ...base, dns: { zone, mode, upstreams: [], records, ...dns } };
  }

  async drive(machine: string, verb: string, content?: DesiredContent): Promise<unknown> {
    const input = JSON.stringify(content ?? null);
    return JSON.parse(await this.#lab.run(machine, [...sandboxed, verb], { input }));
  }

  async converge(machine: string, mode: DnsMode, dns: Partial<DesiredDns> = {}): Promise<Outcome> {
    return (await this.drive(machine, "converge", this.wanted(machine, mode, dns))) as Outcome;
  }

  /** IPv4 addresses through nss, sorted. */
  async lookup(machine: string, name: string): Promise<string[]> {
    const result = await this.#lab.exec(machine, ["getent", "ahostsv4", name], { timeoutMs: 30_000 });
    const addresses = result.stdout.split("\n").map((line) => line.split(/\s/)[0] ?? "");
    return [...new Set(addresses)].filter((address) => address !== "").sort((a, b) => (a < b ? -1 : 1));
  }

  /** Names a machine asked of the upstream server while `during` ran. */
  async askedUpstream(during: () => Promise<unknown>): Promise<string[]> {
    const already = (await this.#lab.upstreamQueries()).length;
    await during();
    return (await this.#lab.upstreamQueries()).slice(already).map((query) => query.name);
  }

  /** Type, mode, owner, target and content of everything in /etc, and every link and unit of ours. */
  snapshot(machine: string): Promise<string> {
    return this.sh(
      machine,
      [
        "find /etc -path /etc/weft -prune -o -printf '%p %y %m %U:%G %l\\n' | sort",
        "find /etc -path /etc/weft -prune -o -type f -print0 | sort -z | xargs -0 sha256sum",
        "ip -br link | sed 's/[@ ].*//'",
        "systemctl is-enabled weft-dns; systemctl is-active weft-dns; true",
      ].join("; "),
    );
  }

  async mainPid(machine: string): Promise<string> {
    const pid = (await this.sh(machine, "systemctl show -p MainPID --value weft-dns")).trim();
    // a signal to "0" would hit the shell that sends it
    if (!/^[1-9]\d*$/.test(pid)) throw new Error(`weft-dns is not running on ${machine}`);
    return pid;
  }

  sh(machine: string, script: string): Promise<string> {
    return this.#lab.run(machine, ["sh", "-c", script]);
  }

  /** Driver, Node, CoreDNS and its unit, where an installed agent has them. */
  async install(machines: readonly string[]): Promise<void> {
    const scratch = await mkdtemp(join(tmpdir(), "weft-dns-"));
    try {
      const bundle = join(scratch, "driver.mjs");
      const entry = join(root, "test/support/dns-driver.ts");
      const flags = ["--bundle", "--platform=node", "--format=esm", "--log-level=error"];
      execFileSync(join(root, "node_modules/.bin/esbuild"), [entry, ...flags, `--outfile=${bundle}`]);
      const components = join(root, "scripts/components");
      const coredns = execFileSync(components, ["--path", "coredns"], { encoding: "utf8" }).trim();
      const unit = join(root, "packages/node-agent/systemd/weft-dns.service");
      for (const machine of machines) {
        // weft-dns runs as a user of its own and must get through
        await this.sh(machine, "umask 022; mkdir -p /opt/weft/lib /opt/weft/components");
        await this.#lab.copyIn(machine, process.execPath, driver[0], 0o755);
        await this.#lab.copyIn(machine, bundle, driver[1]);
        await this.#lab.copyIn(machine, coredns, "/opt/weft/components/coredns", 0o755);
        await this.#lab.copyIn(machine, unit, "/etc/systemd/system/weft-dns.service");
        await this.sh(machine, "systemctl daemon-reload");
      }
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
}

export async function until(
  what: string,
  deadlineMs: number,
  holds: () => Promise<boolean>,
): Promise<number> {
  const began = performance.now();
  for (;;) {
    if (await holds()) return performance.now() - began;
    if (performance.now() - began > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resume) => setTimeout(resume, 50));
  }
}
