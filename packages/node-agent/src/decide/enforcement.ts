// In: facts. Out: what this node enforces policy with, and why. Pure. (Cilium is another issue's.)

export interface EnforcementFacts {
  readonly nft: string;
  readonly kernel: string;
}

/** Sets with counters and comments on elements came with nftables 0.9.5 and kernel 5.7. */
const leastKernel = [5, 7] as const;

function numbersOf(version: string): readonly number[] {
  return version.split(/[.-]/, 2).map(Number);
}

export function enforcementVerdict(facts: EnforcementFacts): string {
  if (facts.nft === "") return "nftables: no, because nft is not installed (apt-get install nftables)";
  const [major = 0, minor = 0] = numbersOf(facts.kernel);
  if (major < leastKernel[0] || (major === leastKernel[0] && minor < leastKernel[1]))
    return `nftables: no, because kernel ${facts.kernel} is older than ${leastKernel.join(".")}`;
  return `nftables: yes, because nft ${facts.nft} and kernel ${facts.kernel} can do all that Weft asks`;
}
