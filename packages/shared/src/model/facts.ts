// What a node is (wire: weft/v1/facts.proto). An unknown fact is absent or explained in `trouble`, never guessed.
import type { CiliumGround, CiliumVerdict } from "./cilium.ts";

export interface BpfProgramType {
  readonly name: string;
  readonly loads: boolean;
  readonly why: string;
}

export interface DnsOwner {
  readonly owner: "resolved" | "plain-file" | "network-manager" | "resolvconf" | "unknown";
  /** The decision trace. */
  readonly evidence: string;
}

export interface NetworkInterface {
  readonly name: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly up: boolean;
  readonly mtu: number;
}

export interface ComponentFact {
  readonly name: string;
  readonly version: string;
  readonly source: string;
}

/** A base chain of somebody else, beside Weft's. */
export interface ForeignHook {
  /** As "inet filter"; of the old iptables "iptables-legacy filter", and then the next five say nothing. */
  readonly table: string;
  readonly chain: string;
  readonly hook: string;
  /** "filter", "nat", "route". */
  readonly type: string;
  readonly priority: number;
  readonly policy: string;
  /** It drops or rejects something, or may. */
  readonly refuses: boolean;
  /** "ufw", "Docker, by iptables-nft"; empty: not known. */
  readonly maker: string;
  /** What it does to Weft's flows. */
  readonly effect: string;
}

export interface NodeFacts {
  readonly hostname: string;
  readonly os: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly systemd: string;
  readonly nft: string;
  readonly btf: boolean;
  readonly bpffs: boolean;
  readonly cgroup2: boolean;
  readonly bpfProgramTypes: readonly BpfProgramType[];
  readonly dnsOwner: DnsOwner;
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryBytes: number;
  readonly interfaces: readonly NetworkInterface[];
  readonly trouble: readonly string[];
  readonly components: readonly ComponentFact[];
  /** The kernel can end foreign sockets (`ss -K`). */
  readonly socketDestroy: boolean;
  readonly enforcementVerdict: string;
  readonly foreignHooks: readonly ForeignHook[];
  readonly cilium: CiliumGround;
  /** One for each line of releases; none from an agent that does not judge it. */
  readonly ciliumVerdicts: readonly CiliumVerdict[];
}
