// In: what an agent is at, and what its sections say of themselves. Out: the report of it.
import type { DesiredState } from "@weft/shared/model/desired";
import { spireAgentId } from "@weft/shared/model/ids";
import type { NodeReport } from "@weft/shared/model/report";
import type { Cuts } from "./sections/cuts.ts";
import type { DnsSection } from "./sections/dns-section.ts";
import type { IdentitySection } from "./sections/identity-section.ts";
import type { PolicySection } from "./sections/policy-section.ts";

export interface Standing
  extends Required<Pick<NodeReport, "phase" | "steps" | "conditions" | "sequence" | "floor">> {
  readonly current: DesiredState | undefined;
  readonly enforced: PolicySection["enforced"];
}

interface Sources {
  readonly node: string;
  readonly dns: Pick<DnsSection, "report">;
  readonly identity: Pick<IdentitySection, "state">;
  readonly cuts: Pick<Cuts, "report">;
  readonly nodeSvidExpires: () => Date | undefined;
}

export function nodeReport(
  { node, dns, identity, cuts, nodeSvidExpires }: Sources,
  { current, enforced, phase, steps, conditions, sequence, floor }: Standing,
): NodeReport {
  return {
    generation: current?.generation ?? 0,
    digest: current?.digest ?? "",
    phase,
    enforcedRevision: enforced?.revision ?? 0,
    enforcedDigest: enforced?.digest ?? "",
    enforcedAt: enforced?.at,
    witness: enforced === undefined ? "" : `kernel of ${node}`,
    steps,
    conditions,
    identity: {
      nodeSvidExpires: nodeSvidExpires(),
      spireAgentId: current === undefined ? "" : spireAgentId(current.trustDomain, node),
      spireAgentHealthy: identity.state.healthy,
      spireAgentSvidExpires: identity.state.svidExpires,
    },
    dns: dns.report,
    sequence,
    cut: cuts.report(current),
    floor,
  };
}
