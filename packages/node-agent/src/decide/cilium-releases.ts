// What each line of Cilium's releases needs of a machine, as data. Each number says where it is from: "docs" is Cilium's own
// documentation of that release, "source" its source, "live" an agent of 1.18.10 (and of the branch point of 1.19) that
// was driven without Kubernetes on three machines. Where live and docs differ, live is believed.

/** How packets get from node to node: in VXLAN, or as they are on one layer-2 network. */
export type Routing = "tunnel" | "native";

/** When an option is needed at all. "without-tcx": the older way of attaching, needed below the kernel `tcxKernel`. */
type When = "always" | "without-tcx" | "iptables-nft" | "iptables-legacy" | Routing;

export interface OptionNeed {
  readonly name: string;
  readonly when: When;
}

export interface PortNeed {
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly what: string;
  /** "node": on the node's address; "every": on each address; "loopback": on 127.0.0.1. */
  readonly bind: "node" | "every" | "loopback";
  readonly when: "always" | Routing;
}

export interface ToolNeed {
  readonly name: string;
  /** How Debian and Ubuntu call it. */
  readonly package: string;
}

export interface CiliumRelease {
  readonly version: string;
  readonly architectures: readonly string[];
  readonly kernel: string;
  /** From this kernel on programs are attached by tcx, and the options of the older way may be absent. */
  readonly tcxKernel: string;
  readonly clang: string;
  /** NetworkNamespacePath= of a unit puts a service into its namespace. */
  readonly systemd: string;
  readonly memoryMiB: number;
  readonly programTypes: readonly string[];
  readonly options: readonly OptionNeed[];
  readonly tools: readonly ToolNeed[];
  readonly ports: readonly PortNeed[];
}

const always = (...names: string[]): OptionNeed[] => names.map((name) => ({ name, when: "always" }));
const only = (when: When, ...names: string[]): OptionNeed[] => names.map((name) => ({ name, when }));

const options: readonly OptionNeed[] = [
  // docs: "base". SCHEDSTATS and CRYPTO_USER_API_HASH stand there, too: live, an agent ran without either.
  ...always("BPF", "BPF_SYSCALL", "BPF_JIT", "HAVE_EBPF_JIT", "CGROUPS", "CGROUP_BPF", "PERF_EVENTS"),
  ...always("CRYPTO_SHA1"),
  ...only("without-tcx", "NET_CLS_BPF", "NET_CLS_ACT", "NET_SCH_INGRESS"), // docs: optional with tcx from 1.18 on
  ...always("NAMESPACES", "NET_NS", "VETH"), // live: a namespace and a veth pair per service
  ...always("FIB_RULES", "IP_MULTIPLE_TABLES"), // docs: policy routing
  ...only("tunnel", "VXLAN"), // docs, live. GENEVE is the other tunnel: not used
  // docs: masquerading by iptables, which live used
  ...always("IP_SET", "IP_SET_HASH_IP", "NETFILTER_XT_SET", "NETFILTER_XT_MATCH_COMMENT"),
  ...only("iptables-nft", "NFT_COMPAT"), // source: iptables-nft "with the xt modules"; live used it
  ...only("iptables-legacy", "IP_NF_FILTER", "IP_NF_NAT", "IP_NF_MANGLE", "IP_NF_RAW"), // docs
];

const ports: readonly PortNeed[] = [
  { port: 4240, protocol: "tcp", what: "health between nodes", bind: "node", when: "always" }, // docs
  { port: 8472, protocol: "udp", what: "VXLAN", bind: "every", when: "tunnel" }, // docs
  { port: 9879, protocol: "tcp", what: "health of the agent", bind: "loopback", when: "always" }, // source, live: dies if it is taken
  { port: 9890, protocol: "tcp", what: "gops", bind: "loopback", when: "always" }, // docs, live: dies if it is taken
  { port: 9962, protocol: "tcp", what: "metrics", bind: "loopback", when: "always" }, // live: dies if it is taken
];

/** Both releases the same, as far as the sources go. */
const common: Omit<CiliumRelease, "version"> = {
  architectures: ["x64", "arm64"], // docs
  // docs. The agent itself probes features, so RHEL's 4.18 does as well; Weft's own rules need 5.7 in any case.
  kernel: "5.10",
  tcxKernel: "6.6", // docs
  clang: "18.1", // docs, 1.17 to main; live had 19. llc is asked for up to 1.14 only (source)
  systemd: "242", // systemd's own NEWS
  // live: the agent's peak was 178 MB; what clang takes beside it was not measured, so this is a margin of Weft's
  memoryMiB: 512,
  // source: the features the agent insists on at its start are helpers of these (redirect_peer; netns cookie twice)
  programTypes: ["sched_cls", "cgroup_sock", "cgroup_sock_addr"],
  options,
  tools: [
    { name: "iptables", package: "iptables" }, // docs, live
    { name: "ipset", package: "ipset" }, // docs, live
    { name: "ip", package: "iproute2" }, // docs; live: namespaces and veth pairs
    { name: "mount", package: "mount" }, // docs
  ],
  ports,
};

export const ciliumReleases: readonly CiliumRelease[] = [
  { version: "1.18.x", ...common },
  { version: "1.19.x", ...common }, // live at the branch point only; no released 1.19 was tried
];
