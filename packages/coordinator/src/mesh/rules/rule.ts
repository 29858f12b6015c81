// What a check of the whole mesh is: a pure function from the mesh to problems. Each says one thing.
import type { Mesh, Problem } from "@weft/shared/model/mesh";

export interface RuleContext {
  /** Name of the node that carries the coordinator, if known. */
  readonly coordinatorNode: string | undefined;
  /** Entries whose own form is wrong: they exist, so naming them is right. */
  readonly broken: { readonly nodes: ReadonlySet<string>; readonly services: ReadonlySet<string> };
}

export type Rule = (mesh: Mesh, context: RuleContext) => Problem[];
