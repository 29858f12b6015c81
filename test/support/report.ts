// In: what a test cares about. Out: a whole node report, facts.
import { nothingKnown } from "../../packages/shared/src/model/cilium.ts";
import type { NodeFacts } from "../../packages/shared/src/model/facts.ts";
import type { NodeReport } from "../../packages/shared/src/model/report.ts";

export function reportOf(change: Partial<NodeReport> = {}): NodeReport {
  return {
    generation: 1,
    digest: "",
    phase: "applying",
    enforcedRevision: 0,
    enforcedDigest: "",
    enforcedAt: undefined,
    witness: "",
    steps: [],
    conditions: [],
    identity: {
      nodeSvidExpires: undefined,
      spireAgentId: "",
      spireAgentHealthy: false,
      spireAgentSvidExpires: undefined,
    },
    dns: { mode: "off", state: "off", detail: "" },
    sequence: 1,
    ...change,
  };
}

export function factsOf(change: Partial<NodeFacts> = {}): NodeFacts {
  return {
    hostname: "web1",
    os: "Debian 12",
    kernel: "6.1.0",
    architecture: "x64",
    systemd: "252",
    nft: "1.0.6",
    btf: true,
    bpffs: true,
    cgroup2: true,
    bpfProgramTypes: [],
    dnsOwner: { owner: "plain-file", evidence: "a file" },
    cpus: 2,
    cpuModel: "some",
    memoryBytes: 2 ** 31,
    interfaces: [],
    trouble: [],
    components: [],
    socketDestroy: true,
    enforcementVerdict: "nftables",
    foreignHooks: [],
    cilium: nothingKnown,
    ciliumVerdicts: [],
    ...change,
  };
}
