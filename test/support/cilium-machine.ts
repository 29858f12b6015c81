// In: what a test cares about. Out: the facts of a machine that can run Cilium, but for that.
import type { CiliumFacts } from "../../packages/node-agent/src/decide/cilium-verdict.ts";
import type { CiliumGround, KernelOption } from "../../packages/shared/src/model/cilium.ts";

const optionNames =
  "BPF BPF_SYSCALL BPF_JIT HAVE_EBPF_JIT CGROUPS CGROUP_BPF PERF_EVENTS CRYPTO_SHA1 NET_CLS_BPF NET_CLS_ACT NET_SCH_INGRESS " +
  "NAMESPACES NET_NS VETH FIB_RULES IP_MULTIPLE_TABLES VXLAN IP_SET IP_SET_HASH_IP NETFILTER_XT_SET " +
  "NETFILTER_XT_MATCH_COMMENT NFT_COMPAT IP_NF_FILTER IP_NF_NAT IP_NF_MANGLE IP_NF_RAW";

export const goodOptions: readonly KernelOption[] = optionNames
  .split(" ")
  .map((name) => ({ name, value: "y" }));

export const goodGround: CiliumGround = {
  kernelConfig: "/boot/config-6.1.0-18-amd64",
  kernelOptions: goodOptions,
  loadsModules: false,
  cgroup2At: "/sys/fs/cgroup",
  tools: [
    { name: "clang", path: "/usr/bin/clang-19", version: "19.1.4", form: "bpf" },
    { name: "iptables", path: "/usr/sbin/iptables", version: "1.8.9", form: "nf_tables" },
    { name: "ipset", path: "/usr/sbin/ipset", version: "", form: "" },
    { name: "ip", path: "/usr/sbin/ip", version: "", form: "" },
    { name: "mount", path: "/usr/bin/mount", version: "", form: "" },
  ],
  ports: [
    { port: 4240, protocol: "tcp", holder: "" },
    { port: 8472, protocol: "udp", holder: "" },
    { port: 9879, protocol: "tcp", holder: "" },
    { port: 9890, protocol: "tcp", holder: "" },
    { port: 9962, protocol: "tcp", holder: "" },
  ],
};

export function ciliumMachine(
  change: Partial<CiliumFacts> = {},
  ground: Partial<CiliumGround> = {},
): CiliumFacts {
  return {
    kernel: "6.1.0-18-amd64",
    architecture: "x64",
    systemd: "252",
    memoryBytes: 2 * 2 ** 30,
    bpffs: true,
    bpfProgramTypes: ["sched_cls", "cgroup_sock", "cgroup_sock_addr"].map((name) => ({
      name,
      loads: true,
      why: "",
    })),
    cilium: { ...goodGround, ...ground },
    ...change,
  };
}
