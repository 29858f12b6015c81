// In: what is known of a node, and a proof signed by its enrolment key. Out: the decision. Pure.
// Every success raises the node's enrolment generation, so a copy of its disk is found out when both come back.
import type { GivenSvid, NodeRecord } from "../store/records.ts";

export interface ReEntryAttempt {
  readonly node: NodeRecord;
  /** As signed by the node: the generation it holds. */
  readonly generation: number;
  readonly csrHash: string;
}

export type ReEntryDecision =
  | { readonly kind: "mint"; readonly generation: number }
  /** The answer was lost on its way: the same request gets it again. */
  | { readonly kind: "replay"; readonly generation: number; readonly given: GivenSvid }
  | { readonly kind: "clone"; readonly sentence: string }
  | { readonly kind: "refuse"; readonly sentence: string };

export function decideReEntry({ node, generation, csrHash }: ReEntryAttempt): ReEntryDecision {
  if (node.state !== "joining" && node.state !== "enrolled")
    return { kind: "refuse", sentence: `the node ${node.name} is ${node.state}` };
  const known = node.enrolmentGeneration;
  // Higher than known: the coordinator came back from an older backup. The key is the right one.
  if (generation >= known) return { kind: "mint", generation: generation + 1 };
  const given = node.reEntry;
  if (generation === known - 1 && given?.csrHash === csrHash)
    return { kind: "replay", generation: known, given };
  return {
    kind: "clone",
    sentence: `two machines hold the keys of the node ${node.name}; it is suspended until the operator adds it again`,
  };
}
