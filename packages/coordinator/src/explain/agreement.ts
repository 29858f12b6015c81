// In: what the rules say of a connection, who listens, and what became of a real one. Out: whether that agrees, and what
// may be the cause if it does not. The verdict stays the rules' own. Pure.
import { normaliseAddress } from "@weft/shared/model/address";
import type { DialResult } from "@weft/shared/model/dial";
import type { KernelAnswer, NoAnswer } from "@weft/shared/model/observation";
import type { WhyVerdict } from "./why-path.ts";

export interface Agreement {
  /** open: there is no verdict to compare with. */
  readonly agreement: "agrees" | "disagrees" | "open";
  readonly note: string;
}

/** @returns undefined when the receiver's node does not say */
export function listensAt(
  answer: Pick<KernelAnswer, "listeners"> | NoAnswer | undefined,
  address: string,
): boolean | undefined {
  if (answer === undefined || "problem" in answer) return undefined;
  const mapped = normaliseAddress(`::ffff:${address}`);
  return answer.listeners.some(({ address: text }) => {
    const bound = normaliseAddress(text);
    return bound === "::" || bound === "0.0.0.0" || bound === address || bound === mapped;
  });
}

const agrees = (note: string): Agreement => ({ agreement: "agrees", note });
const disagrees = (note: string): Agreement => ({ agreement: "disagrees", note });

/** @param listens as listensAt says; only a reset is judged by it: nobody listening looks like a refusal */
export function agreementOf(
  verdict: WhyVerdict,
  { outcome }: DialResult,
  listens: boolean | undefined,
): Agreement {
  if (verdict === "unknown")
    return { agreement: "open", note: "the rules give no verdict to compare it with" };
  if (verdict === "refused")
    return outcome === "accepted"
      ? disagrees(
          "the rules refuse it, and it went through: they changed in this moment, or the connection took a way " +
            "that was not asked about, such as a translation of its address",
        )
      : agrees("agrees with the rules");
  switch (outcome) {
    case "accepted":
      return agrees("agrees with the rules");
    case "refused":
      if (listens === false) return agrees("agrees with the rules: they let it through, nobody listens");
      return disagrees(
        "the rules let it through, and it was reset though somebody listens: another table or a firewall between " +
          "refuses it, or the listener came or went in this moment",
      );
    case "unanswered":
      return disagrees(
        "the rules let it through, and nothing came back: a firewall between, a table that drops it out of sight " +
          "of these kernels' rules, or a listener with a full queue",
      );
    case "unreachable":
      return disagrees("the rules let it through, and the way is shut: no route, or a firewall between");
  }
}
