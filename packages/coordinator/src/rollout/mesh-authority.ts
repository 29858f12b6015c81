// In: mesh files, as an operator gives them. Out: the next revision of the mesh and the states it means for the nodes,
// recorded together or not at all. Holds the current mesh; how it comes into force is the rollout book's business.
import type { DesiredState } from "@weft/shared/model/desired";
import type { Mesh, Problem } from "@weft/shared/model/mesh";
import { digestOf } from "@weft/shared/plan/canonical";
import { bannedAddresses } from "../enrolment/banned-addresses.ts";
import { codesText, reasonWith, type Weighed, weigh } from "../guard/acceptance.ts";
import type { MeshChange, OperatorSession, Risk, RiskCode, RiskSource } from "../guard/risk.ts";
import type { GivingFlags, Revision, SourceText } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { banGenerations } from "./ban-generations.ts";
import type { CourseWord } from "./course.ts";
import { InForce } from "./in-force.ts";
import type { LoadedMesh, MeshCompiler, NodeChange } from "./mesh-compiler.ts";
import { type GivingWish, noFlags, RolloutBook, withFlags } from "./rollout-book.ts";

export interface ApplyOrder extends GivingWish {
  readonly sources: readonly SourceText[];
  readonly reason: string;
  readonly claimedBy: string;
  /** 0: whatever is current. */
  readonly baseRevision: number;
  /** The revision whose sources these are: a rollback. 0: none. */
  readonly restores: number;
  /** What the operator says to know. */
  readonly acceptRisks: readonly RiskCode[];
  readonly operator: OperatorSession | undefined;
}

export type ApplyOutcome =
  | {
      readonly kind: "refused";
      readonly problems: readonly Problem[];
      readonly message: string;
      /** That nobody accepted. */
      readonly risks: readonly Risk[];
    }
  | {
      readonly kind: "accepted";
      readonly revision: number;
      /** The very same files as the current revision: no new one was made. */
      readonly unchanged: boolean;
      readonly changed: readonly DesiredState[];
      readonly weighed: Weighed;
    };

export interface PlanOutcome {
  readonly problems: readonly Problem[];
  readonly baseRevision: number;
  readonly changes: readonly NodeChange[];
  readonly risks: readonly Risk[];
}

export interface AuthorityParts {
  readonly store: Store;
  readonly compiler: MeshCompiler;
  /** Of this mesh; a file for another one is refused. */
  readonly mesh: string;
  readonly trustDomain: string;
  /** Asked about every change, before it is made. */
  readonly riskSources: readonly RiskSource[];
  /** The node that carries the coordinator. */
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
  readonly inForce: InForce;
  readonly #parts: AuthorityParts;
  readonly #book: RolloutBook;
  #mesh: Mesh | undefined;
  #revision: Revision | undefined;

  constructor(parts: AuthorityParts) {
    this.#parts = parts;
    this.#book = new RolloutBook(parts);
    this.inForce = new InForce(parts, () => this.#mesh);
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
    this.#mesh = loaded.mesh;
    const states = compiler.compile(loaded.mesh);
    const { revision } = this.#revision;
    const { running } = this.inForce;
    // What a rollout has not come to waits for its wave.
    const only = running === undefined ? undefined : new Set(running.course.given.keys());
    store.transaction(() => this.#book.give(states, revision, running?.flags ?? noFlags, only));
    return [];
  }

  plan(sources: readonly SourceText[], operator: OperatorSession | undefined): PlanOutcome {
    const { mesh, problems } = this.#check(sources);
    const baseRevision = this.revision;
    if (mesh === undefined) return { problems, baseRevision, changes: [], risks: [] };
    const change = this.#change(mesh, operator);
    const before = change.before?.contents ?? new Map();
    const changes = this.#parts.compiler.changes(before, change.after.contents);
    return { problems, baseRevision, changes, risks: this.#risks(change) };
  }

  /** Weighed and recorded in one go: what the risks were weighed against is what is replaced. */
  apply(order: ApplyOrder): ApplyOutcome {
    const { store, now } = this.#parts;
    if (order.baseRevision !== 0 && order.baseRevision !== this.revision)
      return refusal({
        message: `the mesh is at revision ${this.revision}, and the plan was made against revision ${order.baseRevision}`,
      });
    const { mesh, problems } = this.#check(order.sources);
    if (mesh === undefined) return refusal({ problems, message: "the mesh file has problems" });
    const change = this.#change(mesh, order.operator);
    const weighed = weigh(this.#risks(change), order.acceptRisks);
    if (weighed.open.length > 0)
      return refusal({
        problems,
        risks: weighed.open,
        message: `the change would cut or weaken what is guarded (${codesText(weighed.open)})`,
      });
    const kept = order.keepEstablished === true ? "established flows are kept" : "";
    const reason = [reasonWith(order.reason, weighed.accepted), kept]
      .filter((part) => part !== "")
      .join("; ");
    const digest = digestOf(order.sources);
    const unchanged = this.#revision?.digest === digest;
    const { revision, changed } = store.transaction(() => {
      const restores = order.restores === 0 ? undefined : order.restores;
      const entry = { at: now(), claimedBy: order.claimedBy, reason, digest, restores };
      const current =
        this.#revision !== undefined && unchanged
          ? this.#revision
          : store.revisions.append(entry, order.sources);
      store.audit.append({
        at: now(),
        actor: order.claimedBy,
        action: unchanged ? "applied again" : "applied",
        subject: `revision ${current.revision}`,
        detail: reason,
      });
      const changed = this.#book.open(change.after, current.revision, this.revision, order);
      return { revision: current, changed };
    });
    this.#mesh = mesh;
    this.#revision = revision;
    return {
      kind: "accepted",
      revision: revision.revision,
      unchanged,
      changed,
      weighed,
    };
  }

  #change(mesh: Mesh, operator: OperatorSession | undefined): MeshChange {
    const { compiler, store } = this.#parts;
    const members = store.nodes
      .list()
      .filter((node) => node.state === "joining" || node.state === "enrolled");
    return {
      before: this.#mesh === undefined ? undefined : { mesh: this.#mesh, contents: this.inForce.contents() },
      after: { mesh, contents: compiler.compile(mesh) },
      members: new Set(members.map(({ name }) => name)),
      operator,
    };
  }

  #risks(change: MeshChange): Risk[] {
    return this.#parts.riskSources.flatMap((source) => source(change));
  }

  /** The next wave of the running rollout, or its end when none is left. */
  advance(): readonly DesiredState[] {
    const { store, compiler } = this.#parts;
    const { running } = this.inForce;
    const mesh = this.#mesh;
    if (running === undefined || mesh === undefined) return [];
    return store.transaction(() => this.#book.advance(compiler.compile(mesh), running));
  }

  /** The running rollout is over, and the mesh is again what it was before it: as a revision of its own. */
  takeBack(why: string): TakenBack | undefined {
    const { store, compiler, now } = this.#parts;
    const { running } = this.inForce;
    if (running === undefined) return undefined;
    const sources = store.revisions.sources(running.base) ?? [];
    const { mesh } = compiler.load(sources);
    if (mesh === undefined) {
      const left = `${why}; this release does not understand revision ${running.base}: nothing was taken back`;
      store.transaction(() => this.#book.close(running, { state: "stopped", why: left }, "stopped"));
      return undefined;
    }
    const { revision, changed } = store.transaction(() => {
      const reason = `revision ${running.revision} was stopped: ${why}`;
      const entry = {
        at: now(),
        claimedBy: "weft-coordinator",
        reason,
        digest: digestOf(sources),
        restores: running.base,
      };
      const revision = store.revisions.append(entry, sources);
      const contents = compiler.compile(mesh);
      return { revision, changed: this.#book.takeBack(running, why, revision.revision, contents) };
    });
    this.#mesh = mesh;
    this.#revision = revision;
    return { revision: revision.revision, changed };
  }

  /** Bans have changed, and nothing else. */
  refresh(): DesiredState[] {
    const { store, compiler } = this.#parts;
    const bans = store.bans.list();
    const addresses =
      this.#mesh === undefined || bans.length === 0
        ? []
        : bannedAddresses(bans, compiler.compile(this.#mesh));
    const changed = banGenerations(store.desired.list(), addresses);
    store.transaction(() => {
      for (const state of changed) store.desired.put(state);
    });
    return changed;
  }

  /**
   * One generation more of the same content, for a node that holds a higher number than was given from here.
   * @param flags undefined: as before
   */
  raise(node: string, generation: number, flags?: GivingFlags): DesiredState | undefined {
    const { store } = this.#parts;
    const state = store.desired.get(node);
    if (state === undefined) return undefined;
    const raised = { ...(flags === undefined ? state : withFlags(state, flags)), generation };
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

function refusal(
  parts: Partial<Extract<ApplyOutcome, { kind: "refused" }>> & {
    readonly message: string;
  },
): ApplyOutcome {
  return { kind: "refused", problems: [], risks: [], ...parts };
}
