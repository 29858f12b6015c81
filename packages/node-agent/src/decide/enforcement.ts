// In: facts. Out: what this node enforces policy with, and why. Pure. (Whether it could run Cilium: cilium-verdict.ts.)
import { isAtLeast } from "./dotted-version.ts";

export interface EnforcementFacts {
  readonly nft: string;
  readonly kernel: string;
}

/** Sets with counters and comments on elements came with nftables 0.9.5 and kernel 5.7. */
const leastKernel = "5.7";

export function enforcementVerdict(facts: EnforcementFacts): string {
  if (facts.nft === "") return "nftables: no, because nft is not installed (apt-get install nftables)";
  if (isAtLeast(facts.kernel || "0", leastKernel) === false)
    return `nftables: no, because kernel ${facts.kernel} is older than ${leastKernel}`;
  return `nftables: yes, because nft ${facts.nft} and kernel ${facts.kernel} can do all that Weft asks`;
}
