// In: a connection that was made, and what became of it. Out: that in a sentence. Pure.
import { familyOf } from "@weft/shared/model/address";
import { type DialAnswer, type DialResult, dialWithinMs } from "@weft/shared/model/dial";
import type { DialPlan } from "./dial-plan.ts";

function outcomeText({ outcome, errno }: DialResult): string {
  switch (outcome) {
    case "accepted":
      return "was accepted";
    case "refused":
      return `was refused (${errno})`;
    case "unanswered":
      return `was unanswered within ${dialWithinMs / 1000} s`;
    case "unreachable":
      return `could not be made (${errno})`;
  }
}

export function dialSentence({ node, question }: DialPlan, answer: DialAnswer): string {
  const { user, destination, port } = question;
  const target = familyOf(destination) === 6 ? `[${destination}]:${port}` : `${destination}:${port}`;
  return `a connection of user ${user} on ${node} to ${target} at ${answer.at.toISOString()} ${outcomeText(answer)}`;
}
