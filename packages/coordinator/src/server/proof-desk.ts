// In: a connection that was asked about, with the rules' verdict. Out: what became of a real one, made by the sender's
// node, or why there was none. The rules' verdict is not touched.
import type { Proof } from "@weft/shared/gen/weft/v1/probe";
import type { KernelAnswer, NoAnswer } from "@weft/shared/model/observation";
import { agreementOf, listensAt } from "../explain/agreement.ts";
import type { DialPlan } from "../explain/dial-plan.ts";
import { dialSentence } from "../explain/dial-sentence.ts";
import type { WhyVerdict } from "../explain/why-path.ts";
import type { DialDesk } from "./question-desk.ts";

export class ProofDesk {
  readonly #dials: Pick<DialDesk, "ask">;

  constructor(dials: Pick<DialDesk, "ask">) {
    this.#dials = dials;
  }

  /**
   * @param plan or why no node is asked
   * @param receiver what its kernel said, with who listens
   * @param inside address that those listen at; undefined: what is connected to
   */
  async prove(
    plan: DialPlan | string,
    verdict: WhyVerdict,
    receiver: Pick<KernelAnswer, "listeners"> | NoAnswer | undefined,
    inside?: string,
  ): Promise<Proof> {
    if (typeof plan === "string") return notTried("", "", plan);
    const { node, question } = plan;
    const answer = await this.#dials.ask(node, question);
    if ("problem" in answer)
      return notTried(node, question.user, `${node} made no connection: ${answer.problem}`);
    const { at, outcome, errno } = answer;
    const agreement = agreementOf(verdict, answer, listensAt(receiver, inside ?? question.destination));
    return {
      at,
      node,
      user: question.user,
      outcome,
      errno,
      sentence: dialSentence(plan, answer),
      ...agreement,
    };
  }
}

function notTried(node: string, user: string, sentence: string): Proof {
  return {
    at: undefined,
    node,
    user,
    outcome: "not-tried",
    errno: "",
    agreement: "open",
    sentence,
    note: "",
  };
}
