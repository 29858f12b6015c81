// In: a machine, and the readers that need more than it. Out: its facts. Each reader stands alone: what one cannot
// read is said in `trouble`, and nothing else is lost.
import { cpus, hostname, release } from "node:os";
import { arch } from "node:process";
import type { ComponentFact, DnsOwner, NodeFacts } from "@weft/shared/model/facts";
import { ciliumReleases } from "../decide/cilium-releases.ts";
import { ciliumVerdict } from "../decide/cilium-verdict.ts";
import { enforcementVerdict } from "../decide/enforcement.ts";
import type { Host } from "../host/host.ts";
import { attemptInto } from "./attempt.ts";
import { probeBpf } from "./bpf-probe.ts";
import { readCiliumGround } from "./cilium-ground.ts";
import { readForeignHooks } from "./foreign-hooks.ts";
import {
  parseIpAddr,
  parseMemoryBytes,
  parseMountTypes,
  parseNftVersion,
  parseOsRelease,
  parseSystemdVersion,
} from "./parse-system.ts";
import { probeSocketDestroy } from "./socket-destroy.ts";

export interface FactReaders {
  readonly dnsOwner: (host: Host) => Promise<DnsOwner>;
  readonly cpuModel: () => Promise<string>;
  readonly components: () => Promise<readonly ComponentFact[]>;
}

const unknownOwner: DnsOwner = { owner: "unknown", evidence: "could not be read" };

export async function collectFacts(host: Host, readers: FactReaders): Promise<NodeFacts> {
  const trouble: string[] = [];
  const attempt = attemptInto(trouble);
  const text = async (path: string): Promise<string> => {
    const found = await host.files.readText(path);
    if (found === undefined) throw new Error(`there is no ${path}`);
    return found;
  };
  const output = async (program: string, ...args: string[]) => (await host.exec.run(program, args)).stdout;
  const mounts = await attempt("mounts", new Map<string, string>(), async () =>
    parseMountTypes(await text("/proc/self/mountinfo")),
  );
  const kernel = release();
  const nft = await attempt("nft", "", async () => parseNftVersion(await output("nft", "--version")));
  const facts = {
    hostname: hostname(),
    os: await attempt("os", "", async () => parseOsRelease(await text("/etc/os-release"))),
    kernel,
    architecture: arch,
    systemd: await attempt("systemd", "", async () =>
      parseSystemdVersion(await output("systemctl", "--version")),
    ),
    nft,
    btf: (await host.files.info("/sys/kernel/btf/vmlinux")) !== undefined,
    bpffs: mounts.get("/sys/fs/bpf") === "bpf",
    cgroup2: mounts.get("/sys/fs/cgroup") === "cgroup2",
    bpfProgramTypes: await attempt("BPF program types", [], () => probeBpf(host.exec)),
    dnsOwner: await attempt("DNS owner", unknownOwner, () => readers.dnsOwner(host)),
    cpus: cpus().length,
    cpuModel: await attempt("processor", "", readers.cpuModel),
    memoryBytes: await attempt("memory", 0, async () => parseMemoryBytes(await text("/proc/meminfo"))),
    interfaces: await attempt("interfaces", [], async () => parseIpAddr(await output("ip", "-j", "addr"))),
    components: await attempt("components", [], readers.components),
    socketDestroy: await attempt("socket destroy", false, () => probeSocketDestroy(host.exec)),
    enforcementVerdict: enforcementVerdict({ nft, kernel }),
    foreignHooks: await attempt("rules of others", [], () => readForeignHooks(host)),
    cilium: await readCiliumGround({ host, kernel, mounts, attempt }),
  };
  const ciliumVerdicts = ciliumReleases.map((release) => ciliumVerdict(facts, release));
  return { ...facts, ciliumVerdicts, trouble };
}
