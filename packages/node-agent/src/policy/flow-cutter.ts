// What ends flows that the rules now in force forbid. Asked after the coordinator was told, and never while a policy is
// armed: what a candidate forbids is cut only when it is confirmed, and what it allowed ends when it is not.
import type { Finding } from "../conditions.ts";

/** "started": the agent did not see what happened before. "repaired": the rules were gone, or others, for a moment. */
export type CutOccasion = "started" | "confirmed" | "reverted" | "repaired";

export interface FlowCutter {
  cut(occasion: CutOccasion, signal: AbortSignal): Promise<readonly Finding[]>;
}

/** Packets to local services are judged one by one, so inbound flows end by themselves; outbound ones live on. */
export const noCutter: FlowCutter = { cut: async () => [] };
