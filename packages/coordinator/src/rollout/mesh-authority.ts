// In: mesh files, as an operator gives them. Out: the next revision of the mesh and the states it means for the nodes,
// recorded together or not at all. Holds the current mesh, and while it is rolled out the one before it.
import type { DesiredState } from "@weft/shared/model/desired";
import { spireAgentId } from "@weft/shared/model/ids";
import type { Mesh, Problem } from "@weft/shared/model/mesh";
import { digestOf } from "@weft/shared/plan/canonical";
import type { RegistrationEntry } from "../spire/spire-server.ts";
import type { Revision, RolloutRecord, SourceText } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { CourseWord } from "./course.ts";
import { contentOf } from "./generations.ts";
import type { CompiledMesh, LoadedMesh, MeshCompiler, NodeChange } from "./mesh-compiler.ts";
import { type GivingWish, RolloutBook, withConfirmTimeout } from "./rollout-book.ts";

export interface ApplyOrder extends GivingWish {
  readonly sources: readonly SourceText[];
  readonly reason: string;
  readonly claimedBy: string;
  /** 0: whatever is current. */
  readonly baseRevision: number;
  /** The revision whose sources these are: a rollback. 0: none. */
  readonly restores: number;
}

export type ApplyOutcome =
  | { readonly kind: "refused"; readonly problems: readonly Problem[]; readonly message: string }
  | {
      readonly kind: "accepted";
      readonly revision: number;
      /** The very same files as the current revision: no new one was made. */
      readonly unchanged: boolean;
      readonly changed: readonly DesiredState[];
    };

export interface PlanOutcome {
  readonly problems: readonly Problem[];
  readonly baseRevision: number;
  readonly changes: readonly NodeChange[];
}

export interface AuthorityParts {
  readonly store: Store;
  readonly compiler: MeshCompiler;
  /** Of this mesh; a file for another one is refused. */
  readonly mesh: string;
  readonly trustDomain: string;
  readonly hub: string;
  readonly word: (node: string) => CourseWord;
  readonly now: () => Date;
}

/** A rollout that was stopped: `revision` has the sources of the one before it. */
export interface TakenBack {
  readonly revision: number;
  readonly changed: readonly DesiredState[];
}

export class MeshAuthority {
  readonly #parts: AuthorityParts;
  #mesh: Mesh | undefined;
  #revision: Revision | undefined;
  readonly #book: RolloutBook;

  constructor(parts: AuthorityParts) {
    this.#parts = parts;
    this.#book = new RolloutBook(parts);
  }

  get mesh(): Mesh | undefined {
    return this.#mesh;
  }

  /** 0: nothing was applied yet. */
  get revision(): number {
    return this.#revision?.revision ?? 0;
  }

  /**
   * Reads back the current revision. A newer release may compile the same files to something else: those states are
   * new generations of the same revision. If it refuses the files, what was compiled from them stays in force, and
   * the problems are returned.
   */
  start(): readonly Problem[] {
    const { store, compiler } = this.#parts;
    this.#revision = store.revisions.current();
    if (this.#revision === undefined) return [];
    const loaded = compiler.load(store.revisions.sources(this.#revision.revision) ?? []);
    if (loaded.mesh === undefined) return loaded.problems;
    const { mesh } = loaded;
    const { revision } = this.#revision;
    this.#mesh = mesh;
    const { running } = this.#book;
    // A newer release compiles anew what was given; what a rollout has not come to waits for its wave.
    const only = running === undefined ? undefined : new Set(running.course.given.keys());
    store.transaction(() => this.#book.give(mesh, revision, running?.confirmTimeoutSeconds ?? 0, only));
    return [];
  }

  get running(): RolloutRecord | undefined {
    return this.#book.running;
  }

  /** Nodes that the running rollout has not come to yet. */
  pending(): ReadonlySet<string> {
    return this.#book.pending();
  }

  /** What every node is given: of the current mesh, and where its rollout has not come to yet, of the one before. */
  inForce(): CompiledMesh {
    const { store, compiler } = this.#parts;
    if (this.#mesh === undefined) return new Map();
    const contents = new Map(compiler.compile(this.#mesh));
    for (const node of this.#book.pending()) {
      const given = store.desired.get(node);
      if (given === undefined) contents.delete(node);
      else contents.set(node, contentOf(given));
    }
    return contents;
  }

  /** Of the services as they are given. undefined while the current mesh cannot be read. */
  entries(): RegistrationEntry[] | undefined {
    const { compiler, trustDomain } = this.#parts;
    const mesh = this.#mesh;
    if (mesh === undefined) return this.revision === 0 ? [] : undefined;
    const before = this.#before();
    if (before === undefined) return [...compiler.entries(mesh)];
    const pending = this.#book.pending();
    const given = mesh.nodes.map(({ name }) => name).filter((name) => !pending.has(name));
    const parents = new Set(given.map((name) => spireAgentId(trustDomain, name)));
    return [
      ...compiler.entries(mesh).filter(({ parentId }) => parents.has(parentId)),
      ...compiler.entries(before).filter(({ parentId }) => !parents.has(parentId)),
    ];
  }

  /** While a rollout runs, what it has not ended yet counts, too. */
  names(node: string): boolean {
    return [this.#mesh, this.#before()].some(
      (mesh) => mesh?.nodes.some(({ name }) => name === node) === true,
    );
  }

  #before(): Mesh | undefined {
    const { running } = this.#book;
    return running === undefined ? undefined : this.#load(running.base);
  }

  #load(revision: number): Mesh | undefined {
    const { store, compiler } = this.#parts;
    return compiler.load(store.revisions.sources(revision) ?? []).mesh;
  }

  plan(sources: readonly SourceText[]): PlanOutcome {
    const { compiler } = this.#parts;
    const { mesh, problems } = this.#check(sources);
    if (mesh === undefined) return { problems, baseRevision: this.revision, changes: [] };
    const changes = compiler.changes(this.inForce(), compiler.compile(mesh));
    return { problems, baseRevision: this.revision, changes };
  }

  apply(order: ApplyOrder): ApplyOutcome {
    const { store, now } = this.#parts;
    if (order.baseRevision !== 0 && order.baseRevision !== this.revision)
      return {
        kind: "refused",
        problems: [],
        message: `the mesh is at revision ${this.revision}, and the plan was made against revision ${order.baseRevision}`,
      };
    const { mesh, problems } = this.#check(order.sources);
    if (mesh === undefined) return { kind: "refused", problems, message: "the mesh file has problems" };
    const digest = digestOf(order.sources);
    const unchanged = this.#revision?.digest === digest;
    const { revision, changed } = store.transaction(() => {
      const { claimedBy, reason } = order;
      const restores = order.restores === 0 ? undefined : order.restores;
      const entry = { at: now(), claimedBy, reason, digest, restores };
      const current =
        this.#revision !== undefined && unchanged
          ? this.#revision
          : store.revisions.append(entry, order.sources);
      store.audit.append({
        at: now(),
        actor: order.claimedBy,
        action: unchanged ? "applied again" : "applied",
        subject: `revision ${current.revision}`,
        detail: order.reason,
      });
      const changed = this.#book.open(mesh, current.revision, this.revision, order);
      return { revision: current, changed };
    });
    this.#mesh = mesh;
    this.#revision = revision;
    return { kind: "accepted", revision: revision.revision, unchanged, changed };
  }

  /** The next wave of the running rollout, or its end when none is left. */
  advance(): readonly DesiredState[] {
    const { running } = this.#book;
    const mesh = this.#mesh;
    if (running === undefined || mesh === undefined) return [];
    return this.#parts.store.transaction(() => {
      if (running.course.begun < running.course.waves.length) return this.#book.advance(mesh, running);
      this.#book.close(running, { state: "done" }, "rolled out");
      return [];
    });
  }

  /** The running rollout is over, and the mesh is again what it was before it: as a revision of its own. */
  takeBack(why: string): TakenBack | undefined {
    const { store, compiler, now } = this.#parts;
    const { running } = this.#book;
    if (running === undefined) return undefined;
    const sources = store.revisions.sources(running.base) ?? [];
    const { mesh } = compiler.load(sources);
    return store.transaction(() => {
      if (mesh === undefined) {
        const left = `${why}; this release does not understand revision ${running.base}: nothing was taken back`;
        this.#book.close(running, { state: "stopped", why: left }, "stopped");
        return undefined;
      }
      const reason = `revision ${running.revision} was stopped: ${why}`;
      const digest = digestOf(sources);
      const entry = { at: now(), claimedBy: "weft-coordinator", reason, digest, restores: running.base };
      const { revision } = store.revisions.append(entry, sources);
      this.#book.close(running, { state: "stopped", why, endedBy: revision }, "stopped and taken back");
      const named = new Set(mesh.nodes.map(({ name }) => name));
      // Only the stopped mesh named them: they must not get it any more.
      for (const node of running.course.waves.flat()) if (!named.has(node)) store.desired.drop(node);
      const changed = this.#book.give(mesh, revision, running.confirmTimeoutSeconds);
      this.#mesh = mesh;
      this.#revision = { ...entry, revision };
      return { revision, changed };
    });
  }

  /** One generation more of the same content, for a node that holds a higher number than was given from here. */
  raise(node: string, generation: number, confirmTimeoutSeconds = 0): DesiredState | undefined {
    const { store } = this.#parts;
    const state = store.desired.get(node);
    if (state === undefined) return undefined;
    const raised = { ...withConfirmTimeout(state, confirmTimeoutSeconds), generation };
    store.desired.put(raised);
    return raised;
  }

  #check(sources: readonly SourceText[]): LoadedMesh {
    const loaded = this.#parts.compiler.load(sources);
    const { mesh } = loaded;
    if (mesh === undefined) return loaded;
    const foreign = this.#foreign(mesh);
    if (foreign === undefined) return loaded;
    const place = { file: sources[0]?.name ?? "", line: 1, column: 1 };
    const problem: Problem = {
      place,
      severity: "error",
      message: foreign,
      allowed: undefined,
      near: undefined,
    };
    return { mesh: undefined, problems: [...loaded.problems, problem] };
  }

  #foreign(mesh: Mesh): string | undefined {
    if (mesh.name !== this.#parts.mesh)
      return `this coordinator holds the mesh ${this.#parts.mesh}, and the file is for ${mesh.name}`;
    if (mesh.trustDomain !== this.#parts.trustDomain)
      return `the trust domain is ${this.#parts.trustDomain} and cannot be changed to ${mesh.trustDomain}`;
    return undefined;
  }
}
