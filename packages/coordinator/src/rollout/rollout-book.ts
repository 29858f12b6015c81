// In: a mesh that is to be in force, and how far its rollout is. Out: the states the nodes are to be given now, recorded
// together with the rollout: what is on disk is always what every node is given, now or when it comes back.
// Everything here happens inside the caller's transaction.
import type { DesiredState } from "@weft/shared/model/desired";
import { defaultConfirmTimeoutSeconds } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import type { GivingFlags, RolloutRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { beginWave, type CourseWord, planWaves } from "./course.ts";
import { newGenerations } from "./generations.ts";
import type { CompiledMesh, MeshCompiler } from "./mesh-compiler.ts";

export interface RolloutBookParts {
  readonly store: Store;
  /** Remembers the digests of what it compiled: a mesh is asked about several times in one apply. */
  readonly compiler: Pick<MeshCompiler, "digest">;
  /** The node that carries the coordinator. */
  readonly hub: string;
  readonly word: (node: string) => CourseWord;
  readonly now: () => Date;
}

interface CompiledWhole {
  readonly mesh: Mesh;
  readonly contents: CompiledMesh;
}

/** How an operator wants a revision to come into force. */
export interface GivingWish extends GivingFlags {
  /** Whatever the mesh file says of a rollout. */
  readonly atOnce: boolean;
}

/** A wave lasts at least until new rules are confirmed or have undone themselves, and that is told. */
const graceSeconds = 15;

export class RolloutBook {
  readonly #parts: RolloutBookParts;

  constructor(parts: RolloutBookParts) {
    this.#parts = parts;
  }

  /** Everywhere at once, or its first wave. @param before the revision in force; 0: none */
  open(
    { mesh, contents }: CompiledWhole,
    revision: number,
    before: number,
    wish: GivingWish,
  ): DesiredState[] {
    const running = this.#parts.store.rollouts.running();
    if (running?.revision === revision) {
      if (!wish.atOnce) return [];
      this.close(running, { state: "done" }, "rolled out at once");
    } else if (running !== undefined)
      this.close(running, { state: "superseded", endedBy: revision }, `superseded by revision ${revision}`);
    // What a rollout that is not over was to change is not in force: what was before it is.
    const base = running?.base ?? before;
    const { rollout } = mesh;
    const concerned = this.#new(contents, revision).map(({ node }) => node);
    const isAtOnce = wish.atOnce || rollout === undefined || base === 0 || base === revision;
    if (isAtOnce || rollout === undefined || concerned.length === 0)
      return this.give(contents, revision, wish);
    const { hub, word } = this.#parts;
    const nodes = concerned.map((name) => ({ name, isThere: word(name).isThere, isHub: name === hub }));
    const confirmSeconds = wish.confirmTimeoutSeconds || defaultConfirmTimeoutSeconds;
    return this.advance(contents, {
      revision,
      base,
      state: "running",
      course: {
        waves: planWaves(rollout, nodes),
        begun: 0,
        given: new Map(),
        stopOn: rollout.stopOn,
        deadlineSeconds: Math.max(rollout.deadlineSeconds, confirmSeconds + graceSeconds),
      },
      flags: { confirmTimeoutSeconds: wish.confirmTimeoutSeconds, keepEstablished: wish.keepEstablished },
      why: "",
      endedBy: undefined,
    });
  }

  /** The next wave, or the end when none is left. */
  advance(contents: CompiledMesh, rollout: RolloutRecord): DesiredState[] {
    const { store, word } = this.#parts;
    if (rollout.course.begun === rollout.course.waves.length) {
      this.close(rollout, { state: "done" }, "rolled out");
      return [];
    }
    const course = beginWave(rollout.course, word);
    const wave = course.waves[rollout.course.begun] ?? [];
    store.rollouts.put({ ...rollout, course });
    this.#audit(
      rollout.revision,
      `wave ${course.begun} of ${course.waves.length} began`,
      `for ${wave.join(", ")}`,
    );
    return this.give(contents, rollout.revision, rollout.flags, new Set(wave));
  }

  /** @param contents of the revision before it, which `revision` is again */
  takeBack(rollout: RolloutRecord, why: string, revision: number, contents: CompiledMesh): DesiredState[] {
    this.close(rollout, { state: "stopped", why, endedBy: revision }, "stopped and taken back");
    // Only the stopped mesh named them: they must not get it any more.
    for (const node of rollout.course.waves.flat())
      if (!contents.has(node)) this.#parts.store.desired.drop(node);
    return this.give(contents, revision, rollout.flags);
  }

  close(
    rollout: RolloutRecord,
    end: Pick<RolloutRecord, "state"> & Partial<Pick<RolloutRecord, "why" | "endedBy">>,
    action: string,
  ): void {
    this.#parts.store.rollouts.put({ ...rollout, ...end });
    this.#audit(rollout.revision, action, end.why ?? "");
  }

  /** Of these nodes what is new. @param only undefined: every one */
  give(
    contents: CompiledMesh,
    revision: number,
    flags: GivingFlags,
    only?: ReadonlySet<string>,
  ): DesiredState[] {
    const { store } = this.#parts;
    const states = this.#new(contents, revision)
      .filter(({ node }) => only === undefined || only.has(node))
      .map((state) => withFlags(state, flags));
    for (const state of states) store.desired.put(state);
    return states;
  }

  #new(contents: CompiledMesh, revision: number): DesiredState[] {
    const { store, compiler } = this.#parts;
    const last = store.desired.given();
    return newGenerations(last, contents, revision, (content) => compiler.digest(content));
  }

  #audit(revision: number, action: string, detail: string): void {
    const { store, now } = this.#parts;
    const entry = { at: now(), actor: "weft-coordinator", action, subject: `revision ${revision}`, detail };
    store.audit.append(entry);
  }
}

export const noFlags: GivingFlags = { confirmTimeoutSeconds: 0, keepEstablished: false };

export function withFlags(
  { keepEstablished: _, ...state }: DesiredState,
  { confirmTimeoutSeconds, keepEstablished }: GivingFlags,
): DesiredState {
  return {
    ...state,
    ...(confirmTimeoutSeconds === 0 ? {} : { confirmTimeoutSeconds }),
    ...(keepEstablished ? { keepEstablished } : {}),
  };
}
