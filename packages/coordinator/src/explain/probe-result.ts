// In: what the mesh means a flow to be, what the kernels' rules say of it, and what became of a real connection. Out:
// whether all three agree. Stricter than `why --prove`, which compares the last two: a connection that says nothing of
// the rules counts as none. Pure.
import type { ServiceFlow } from "../replay/service-flows.ts";
import type { WhyVerdict } from "./why-path.ts";

export interface ProbeResult {
  readonly result: "agrees" | "disagrees" | "not-proved";
  readonly note: string;
}

export interface ProbeFindings {
  readonly flow: Pick<ServiceFlow, "toNode" | "port">;
  readonly meant: "allowed" | "refused";
  readonly rules: WhyVerdict;
  /** The reason of the rules' verdict. */
  readonly sentence: string;
  /** As `why --prove` has it. */
  readonly proof: Readonly<Record<"outcome" | "errno" | "agreement" | "sentence" | "note", string>>;
  /** undefined: the receiver's node does not say. */
  readonly listens: boolean | undefined;
  /** It ends at an endpoint of Cilium, which refuses without a word. */
  readonly isDropped?: boolean;
}

const means = { allowed: "allows", refused: "refuses" } as const;

export function probeResult({
  flow,
  meant,
  rules,
  sentence,
  proof,
  listens,
  isDropped = false,
}: ProbeFindings): ProbeResult {
  if (proof.outcome === "not-tried") return { result: "not-proved", note: proof.sentence };
  if (meant === "refused" && proof.outcome === "accepted")
    return disagrees(
      rules === "refused" ? proof.note : `the mesh refuses it, and it went through: ${sentence}`,
    );
  if (rules === "unknown") return { result: "not-proved", note: `the rules give no verdict: ${sentence}` };
  if (rules !== meant)
    return disagrees(`the mesh ${means[meant]} it, and the loaded rules do not: ${sentence}`);
  if (proof.agreement === "disagrees") return disagrees(proof.note);
  // Weft refuses with a reset, and so does a port that nobody is at
  if (proof.outcome === "refused" && listens !== true)
    return { result: "not-proved", note: `${silence(flow, listens)}: a reset says nothing of the rules` };
  // nor is that a word of the rules, which refuse with a reset, or at the sender with one of these
  if (meant === "refused" && proof.outcome !== "refused" && !["EACCES", "EPERM"].includes(proof.errno))
    return {
      result: "not-proved",
      note: `${proof.outcome}: so is whom no network reaches; ${isDropped ? "Cilium drops what it refuses" : "Weft's rules refuse with a reset"}`,
    };
  return { result: "agrees", note: proof.note };
}

const disagrees = (note: string): ProbeResult => ({ result: "disagrees", note });

function silence({ toNode, port }: ProbeFindings["flow"], listens: false | undefined): string {
  return listens === undefined
    ? `${toNode} does not say who listens on ${port}/tcp`
    : `nobody listens on ${port}/tcp of ${toNode}`;
}
