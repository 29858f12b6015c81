// In: the current mesh, and how far it is rolled out. Out: what every node is given, and whose names and identities
// hold: of the current mesh, and where its rollout has not come to yet, of the one before.
import { spireAgentId } from "@weft/shared/model/ids";
import type { Mesh } from "@weft/shared/model/mesh";
import { contentOf } from "@weft/shared/plan/desired-content";
import type { RegistrationEntry } from "../spire/spire-server.ts";
import type { RolloutRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { CompiledMesh, MeshCompiler } from "./mesh-compiler.ts";

export interface InForceParts {
  readonly store: Store;
  readonly compiler: Pick<MeshCompiler, "load" | "compile" | "entries">;
  readonly trustDomain: string;
}

export class InForce {
  readonly #parts: InForceParts;
  readonly #mesh: () => Mesh | undefined;

  constructor(parts: InForceParts, mesh: () => Mesh | undefined) {
    this.#parts = parts;
    this.#mesh = mesh;
  }

  get running(): RolloutRecord | undefined {
    return this.#parts.store.rollouts.running();
  }

  /** Nodes that the running rollout has not come to yet: they hold what they held. */
  pending(): ReadonlySet<string> {
    const { running } = this;
    return new Set(running?.course.waves.slice(running.course.begun).flat());
  }

  contents(): CompiledMesh {
    const { store, compiler } = this.#parts;
    const mesh = this.#mesh();
    if (mesh === undefined) return new Map();
    const contents = new Map(compiler.compile(mesh));
    for (const node of this.pending()) {
      const given = store.desired.get(node);
      if (given === undefined) contents.delete(node);
      else contents.set(node, contentOf(given));
    }
    return contents;
  }

  /** undefined while the current mesh cannot be read. */
  entries(): RegistrationEntry[] | undefined {
    const { compiler, trustDomain } = this.#parts;
    const mesh = this.#mesh();
    if (mesh === undefined) return undefined;
    const before = this.#before();
    if (before === undefined) return [...compiler.entries(mesh)];
    const pending = this.pending();
    const given = mesh.nodes.map(({ name }) => name).filter((name) => !pending.has(name));
    const parents = new Set(given.map((name) => spireAgentId(trustDomain, name)));
    return [
      ...compiler.entries(mesh).filter(({ parentId }) => parents.has(parentId)),
      ...compiler.entries(before).filter(({ parentId }) => !parents.has(parentId)),
    ];
  }

  /** While a rollout runs, a node that only the mesh before names still belongs to it. */
  names(node: string): boolean {
    return [this.#mesh(), this.#before()].some(
      (mesh) => mesh?.nodes.some(({ name }) => name === node) === true,
    );
  }

  #before(): Mesh | undefined {
    const { store, compiler } = this.#parts;
    const { running } = this;
    return running === undefined
      ? undefined
      : compiler.load(store.revisions.sources(running.base) ?? []).mesh;
  }
}
