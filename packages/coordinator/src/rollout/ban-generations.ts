// In: what each node was given last, and the banned addresses of this moment. Out: the states that are new: the same in all
// else, so that a ban never brings a mesh file along to nodes that a rollout has not reached. Pure.
import type { DesiredContent, DesiredState } from "@weft/shared/model/desired";
import { contentDigest } from "@weft/shared/plan/content-digest";
import { contentOf } from "@weft/shared/plan/desired-content";
import { withBans } from "../compile/bans.ts";

export function banGenerations(
  states: readonly DesiredState[],
  addresses: readonly string[],
): DesiredState[] {
  return states.flatMap((state) => {
    const { generation, digest, revision } = state;
    const content = contentOf(state);
    const [now] = withBans(new Map<string, DesiredContent>([[content.node, content]]), addresses).values();
    const next = now === undefined ? digest : contentDigest(now);
    return now === undefined || next === digest
      ? []
      : [{ ...now, digest: next, generation: generation + 1, revision }];
  });
}
