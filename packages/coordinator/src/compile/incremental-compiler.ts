// In: one mesh after the other. Out: what each node is to be, and the digest of it. The same as compileMesh says, at the
// cost of what an edit concerns. Made once for a coordinator.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Digest } from "@weft/shared/model/ids";
import type { Mesh } from "@weft/shared/model/mesh";
import { ContentDigests } from "@weft/shared/plan/content-digest";
import { type CoordinatorPlace, compileMesh } from "./compile.ts";
import { CompileMemory } from "./compile-memory.ts";

export class IncrementalCompiler {
  readonly #coordinator: CoordinatorPlace;
  readonly #memory = new CompileMemory();
  readonly #digests = new ContentDigests();
  readonly #compiled = new WeakMap<Mesh, ReadonlyMap<string, DesiredContent>>();

  constructor(coordinator: CoordinatorPlace) {
    this.#coordinator = coordinator;
  }

  readonly compile = (mesh: Mesh): ReadonlyMap<string, DesiredContent> => {
    const compiled = this.#compiled.get(mesh) ?? compileMesh(mesh, this.#coordinator, this.#memory);
    this.#compiled.set(mesh, compiled);
    return compiled;
  };

  readonly digest = (content: DesiredContent): Digest => this.#digests.of(content);
}
