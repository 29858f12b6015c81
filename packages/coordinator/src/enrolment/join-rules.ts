// In: what is known of a join token and its node, and what a caller presents. Out: the decision. Pure.
// A token lets in exactly one key: the first that presents it. That key may ask again until the token expires.
import type { GivenSvid, NodeRecord, TokenClaim, TokenRecord } from "../store/records.ts";

export interface JoinAttempt {
  readonly token: TokenRecord | undefined;
  readonly node: NodeRecord | undefined;
  /** Hex SHA-256 of the enrolment key, whose possession was proved. */
  readonly key: string;
  readonly csrHash: string;
  /** Where the caller connects from. */
  readonly address: string;
  readonly now: Date;
}

export type JoinDecision =
  /** A new certificate; `claim` is to be recorded before it is minted. */
  | { readonly kind: "mint"; readonly node: string; readonly claim: TokenClaim | undefined }
  | { readonly kind: "replay"; readonly node: string; readonly given: GivenSvid }
  /** Two keys, and nobody knows which machine is the right one: neither gets in until the operator says. */
  | { readonly kind: "conflict"; readonly node: string; readonly sentence: string; readonly detail: string }
  /** `sentence` is what the caller is told; `node` is undefined when the token names none. */
  | { readonly kind: "refuse"; readonly node: string | undefined; readonly sentence: string };

export const wrongToken = "this join token is not known here";

export function decideJoin(attempt: JoinAttempt): JoinDecision {
  const { token, node, now } = attempt;
  if (token === undefined) return { kind: "refuse", node: undefined, sentence: wrongToken };
  const refuse = (sentence: string): JoinDecision => ({ kind: "refuse", node: token.node, sentence });
  if (now >= token.expires)
    return refuse(`this join token expired at ${token.expires.toISOString()}; ask for a new one`);
  if (token.address !== undefined && token.address !== attempt.address)
    return refuse(
      `this join token is only good on the machine at ${token.address}, and you come from ${attempt.address}`,
    );
  if (node?.state === "banned") return refuse(`the node ${token.node} is banned`);
  const claim = token.claim;
  if (claim === undefined)
    return {
      kind: "mint",
      node: token.node,
      claim: { key: attempt.key, address: attempt.address },
    };
  if (claim.key !== attempt.key) return decideSecondKey(attempt, token.node, claim);
  // Whatever ends or suspends a node takes its unanswered tokens away: this one was made after it, for a new beginning.
  const begins = token.answer === undefined;
  if (node !== undefined && !begins && node.state !== "joining" && node.state !== "enrolled")
    return refuse(`the node ${token.node} is ${node.state}; ask for a new join token`);
  const given = token.answer;
  return given?.csrHash === attempt.csrHash
    ? { kind: "replay", node: token.node, given }
    : { kind: "mint", node: token.node, claim: undefined };
}

function decideSecondKey(attempt: JoinAttempt, node: string, claim: TokenClaim): JoinDecision {
  if (attempt.node?.state === "joining")
    return {
      kind: "conflict",
      node,
      sentence: "this join token was used by another machine; the coordinator's operator has been told",
      detail: `first key ${claim.key} from ${claim.address}, second key ${attempt.key} from ${attempt.address}`,
    };
  return { kind: "refuse", node, sentence: "this join token has been used" };
}
