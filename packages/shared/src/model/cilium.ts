// What decides whether a machine can run Cilium, the verdict on it, and how it is said. Nothing follows from the verdict alone:
// a node enforces with Cilium when the mesh file says so.

export interface KernelOption {
  /** Without CONFIG_. */
  readonly name: string;
  readonly value: "y" | "m" | "n";
}

export interface ToolFact {
  readonly name: string;
  readonly path: string;
  /** Empty where nobody asks for it. */
  readonly version: string;
  /** Of iptables "nf_tables" or "legacy", of clang "bpf" if it compiles for it; else empty. */
  readonly form: string;
}

export interface PortFact {
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  /** Who is in the way, as "a process of uid 0 on 0.0.0.0"; empty: the port is free. */
  readonly holder: string;
}

/** What is not listed is not known. */
export interface CiliumGround {
  /** The file the kernel's options were read from; empty: none could be read. */
  readonly kernelConfig: string;
  readonly kernelOptions: readonly KernelOption[];
  /** Some of the options are modules, and can be had: those of this kernel are installed, and modprobe is. */
  readonly loadsModules: boolean;
  /** Where cgroup2 is mounted; empty: nowhere. */
  readonly cgroup2At: string;
  readonly tools: readonly ToolFact[];
  readonly ports: readonly PortFact[];
}

export const nothingKnown: CiliumGround = {
  kernelConfig: "",
  kernelOptions: [],
  loadsModules: false,
  cgroup2At: "",
  tools: [],
  ports: [],
};

export interface CiliumReason {
  /** What Cilium needs, in a few words. */
  readonly need: string;
  /** What is there instead, or that it is not known. */
  readonly found: string;
  readonly todo: string;
}

export interface CiliumVerdict {
  /** A line of releases: "1.18.x". */
  readonly version: string;
  readonly can: boolean;
  /** What is in the way. Never empty for a no, always for a yes. */
  readonly because: readonly CiliumReason[];
}

/** The verdicts in words, a line each; releases that lack the same are named together. None for an agent that sent none. */
export function ciliumLines(verdicts: readonly CiliumVerdict[]): string[] {
  const groups = new Map<string, CiliumVerdict[]>();
  for (const verdict of verdicts) {
    const key = JSON.stringify(verdict.because);
    groups.set(key, [...(groups.get(key) ?? []), verdict]);
  }
  return [...groups.values()].flatMap((group) => {
    const versions = group.map(({ version }) => version).join(" and ");
    const because = group[0]?.because ?? [];
    if (because.length === 0)
      return [`this machine could run ${versions}; it does where the mesh file says enforcement: cilium`];
    return [
      `this machine cannot run ${versions} (nftables enforces), because of`,
      ...because.map(({ need, found, todo }) => `${need}: ${found}; to do: ${todo}`),
    ];
  });
}
