// DialQuestion and DialAnswer <-> weft.v1. Both are checked: neither end believes the other in matters of form.
import { WeftError } from "../errors/weft-error.ts";
import type * as wire from "../gen/weft/v1/agent.ts";
import { parseAddress } from "../model/address.ts";
import type { DialAnswer, DialOutcome, DialQuestion } from "../model/dial.ts";
import type { NoAnswer } from "../model/observation.ts";
import { askedPort, askedUser } from "./asked-fields.ts";
import { oneOf, present, toNumber } from "./number.ts";

const outcomes: readonly DialOutcome[] = ["accepted", "refused", "unanswered", "unreachable"];
const longestProblem = 300;

export function encodeDialQuestion(question: DialQuestion): wire.DialQuestion {
  return { ...question, id: BigInt(question.id) };
}

export function decodeDialQuestion({ id, user, destination, port }: wire.DialQuestion): DialQuestion {
  if (user === "") throw new WeftError("WEFT-E003", "a dial question names no user");
  return {
    id: toNumber(id, "question"),
    user: askedUser(user),
    destination: parseAddress(destination),
    port: askedPort(port),
  };
}

export function encodeDialAnswer(answer: DialAnswer | NoAnswer): wire.DialAnswer {
  const id = BigInt(answer.id);
  if ("problem" in answer) return { id, problem: answer.problem, at: undefined, outcome: "", errno: "" };
  return { id, problem: "", at: answer.at, outcome: answer.outcome, errno: answer.errno };
}

export function decodeDialAnswer(message: wire.DialAnswer): DialAnswer | NoAnswer {
  const id = toNumber(message.id, "question");
  if (message.problem !== "") return { id, problem: message.problem.slice(0, longestProblem) };
  const at = present(message.at, "the time of a connection");
  if (Number.isNaN(at.getTime())) throw new WeftError("WEFT-E003", "the time of a connection is none");
  const outcome = oneOf(message.outcome, outcomes, "outcome");
  const hasErrno = outcome === "refused" || outcome === "unreachable";
  if (hasErrno ? !/^E[A-Z0-9]{1,20}$/.test(message.errno) : message.errno !== "")
    throw new WeftError(
      "WEFT-E003",
      `"${message.errno.slice(0, 20)}" is no error of a connection that was ${outcome}`,
    );
  return { id, at, outcome, errno: message.errno };
}
