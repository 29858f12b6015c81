// In: what each node was given last, and what was compiled now. Out: the states that are new. Pure.
// A node whose digest is unchanged keeps generation and revision: an edit elsewhere costs it nothing.
import type { DesiredContent, DesiredState } from "@weft/shared/model/desired";
import type { Digest } from "@weft/shared/model/ids";
import { contentDigest } from "@weft/shared/plan/content-digest";

export interface LastGiven {
  readonly generation: number;
  readonly digest: string;
}

export function newGenerations(
  last: ReadonlyMap<string, LastGiven>,
  compiled: ReadonlyMap<string, DesiredContent>,
  revision: number,
  digestOf: (content: DesiredContent) => Digest = contentDigest,
): DesiredState[] {
  return [...compiled].flatMap(([node, content]) => {
    const digest = digestOf(content);
    const before = last.get(node);
    return before?.digest === digest
      ? []
      : [{ ...content, digest, generation: (before?.generation ?? 0) + 1, revision }];
  });
}

/** What to do when a node says what it holds. */
export type Resume =
  | { readonly kind: "nothing" }
  | { readonly kind: "send" }
  /** The node holds a higher generation than was ever given from here: ours was restored from a backup. */
  | { readonly kind: "raise"; readonly generation: number };

export function resume(held: LastGiven, wanted: LastGiven | undefined): Resume {
  if (wanted === undefined) return { kind: "nothing" };
  // The same content under an older number is told the newer one: nothing has to be proved, and both count alike again.
  if (held.digest === wanted.digest && held.generation >= wanted.generation && held.generation > 0)
    return { kind: "nothing" };
  if (held.generation >= wanted.generation) return { kind: "raise", generation: held.generation + 1 };
  return { kind: "send" };
}
