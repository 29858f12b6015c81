// In: nothing. Out: a fleet with a node in every interesting state, and the parts to make others, for tests.
import { nothingKnown } from "../../packages/shared/src/model/cilium.ts";
import type { NodeFacts } from "../../packages/shared/src/model/facts.ts";
import type { FleetStatus, NodeStatus } from "../../packages/shared/src/model/fleet.ts";
import type { NodeReport } from "../../packages/shared/src/model/report.ts";

export const sampleNow = new Date("2026-03-01T12:00:00Z");
export const after = (seconds: number) => new Date(sampleNow.getTime() + seconds * 1000);

export const sampleReport: NodeReport = {
  generation: 4,
  digest: "d",
  phase: "enforced",
  enforcedRevision: 4,
  enforcedDigest: "d",
  enforcedAt: after(-100),
  witness: "kernel of web1",
  steps: [],
  conditions: [],
  identity: {
    nodeSvidExpires: after(3000),
    spireAgentId: "spiffe://mesh.internal/spire/agent/x509pop/web1",
    spireAgentHealthy: true,
    spireAgentSvidExpires: after(80_000),
  },
  dns: { mode: "file", state: "in-force", detail: "" },
  sequence: 1,
};

export const sampleFacts: NodeFacts = {
  hostname: "web1",
  os: "Debian GNU/Linux 12 (bookworm)",
  kernel: "6.1.0",
  architecture: "x64",
  systemd: "252",
  nft: "1.0.6",
  btf: true,
  bpffs: true,
  cgroup2: true,
  bpfProgramTypes: [{ name: "xdp", loads: true, why: "" }],
  dnsOwner: { owner: "plain-file", evidence: "nobody writes it" },
  cpus: 2,
  cpuModel: "a CPU",
  memoryBytes: 2 ** 31,
  interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", addresses: ["10.77.0.11/24"], up: true, mtu: 1500 }],
  trouble: [],
  components: [{ name: "coredns", version: "1.14.7", source: "/opt/weft/components/coredns" }],
  socketDestroy: true,
  enforcementVerdict: "nftables",
  foreignHooks: [],
  cilium: nothingKnown,
  ciliumVerdicts: [],
};

export const sampleNode: NodeStatus = {
  name: "web1",
  address: "10.77.0.11",
  state: "Online",
  enforcement: "nftables",
  wantedRevision: 4,
  enforcedRevision: 4,
  wantedGeneration: 4,
  verdict: "ENFORCED",
  lastSeen: after(-2),
  report: sampleReport,
  facts: sampleFacts,
  agentVersion: "0.1.0",
};

export const sampleFleet: FleetStatus = {
  mesh: "shop",
  trustDomain: "mesh.internal",
  revision: 4,
  at: sampleNow,
  coordinatorSvidExpires: after(1800),
  conditions: [],
  nodes: [
    sampleNode,
    { ...sampleNode, name: "hub", address: "fd77::10" },
    {
      ...sampleNode,
      name: "api1",
      address: "10.77.0.12",
      enforcedRevision: 3,
      verdict: "APPLYING",
      report: {
        ...sampleReport,
        identity: { ...sampleReport.identity, spireAgentHealthy: false },
        dns: { mode: "resolved-link", state: "failed", detail: "no answer" },
        conditions: [
          { code: "DNS_DOWN", detail: "no answer on 127.0.0.153; asked three times", since: after(-60) },
          { code: "FACTS_PARTIAL", detail: "", since: after(-600) },
        ],
      },
    },
    {
      ...sampleNode,
      name: "db1",
      address: "10.77.0.13",
      state: "Lost",
      verdict: "STALE",
      lastSeen: after(-600),
    },
    {
      ...sampleNode,
      name: "n1",
      address: "10.77.0.101",
      state: "Absent",
      enforcedRevision: 0,
      verdict: "STALE",
      lastSeen: undefined,
      report: undefined,
      facts: undefined,
      agentVersion: "",
    },
  ],
};
