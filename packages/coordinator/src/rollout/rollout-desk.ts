// In: the rollout on record, what its nodes say, the time. Out: wave after wave given, or what was done taken back; word
// of it for whoever waits. Decides nothing (course.ts) and remembers nothing but since when the wave is watched: a
// coordinator that starts again goes on from the record.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { RolloutStatus } from "@weft/shared/model/fleet";
import type { Fleet } from "../fleet/fleet.ts";
import { isMember, lostAfterMs } from "../fleet/node-view.ts";
import type { Logger } from "../logger.ts";
import type { RolloutRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { type CourseWord, type Decision, decide } from "./course.ts";
import type { MeshAuthority, TakenBack } from "./mesh-authority.ts";

export type RolloutEvent =
  | { readonly kind: "wave"; readonly number: number; readonly of: number; readonly nodes: readonly string[] }
  | { readonly kind: "stopped"; readonly why: string; readonly takenBack: TakenBack | undefined }
  | { readonly kind: "done" }
  | { readonly kind: "superseded" };

export interface RolloutDeskParts {
  readonly store: Store;
  readonly authority: MeshAuthority;
  readonly fleet: Fleet;
  readonly word: (node: string) => CourseWord;
  readonly give: (states: readonly DesiredState[]) => void;
  /** The mesh is another one now: names and registration entries follow. */
  readonly meshChanged: () => void;
  readonly now: () => Date;
  readonly log: Logger;
}

export class RolloutDesk {
  readonly #parts: RolloutDeskParts;
  readonly #listeners = new Set<(event: RolloutEvent) => void>();
  readonly #startedAt: number;
  /** The wave under way, and since when it is watched. */
  #wave: { readonly revision: number; readonly begun: number; readonly since: number } | undefined;
  #isLooking = false;

  constructor(parts: RolloutDeskParts) {
    this.#parts = parts;
    this.#startedAt = parts.now().getTime();
    parts.fleet.listen((node, { kind }) => {
      if (kind === "seen" || kind === "wanted" || this.#wave === undefined) return;
      if (this.#parts.authority.inForce.running?.course.given.has(node) === true) this.look();
    });
  }

  /** Returns the way to stop listening. */
  listen(listener: (event: RolloutEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** To be called whenever something may have changed, and now and then, because time is a change, too. */
  look(): void {
    // What is given below is heard of by the listener above.
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      while (this.#step());
    } catch (failure) {
      // A store that cannot be written: nothing was given, and the next look tries again.
      if (!isWeftError(failure)) throw failure;
      this.#parts.log.error("the rollout does not get on", { failure });
    } finally {
      this.#isLooking = false;
    }
  }

  /** True when there may be more to do. */
  #step(): boolean {
    const { authority, word, now, log } = this.#parts;
    const { running } = authority.inForce;
    this.#watch(running);
    if (running === undefined || this.#wave === undefined) return false;
    const { revision, course } = running;
    const decision: Decision =
      authority.mesh === undefined
        ? { kind: "stop", why: `this release does not understand revision ${revision}` }
        : decide(course, word, now().getTime() - this.#wave.since);
    switch (decision.kind) {
      case "wait":
        return false;
      case "stop": {
        const takenBack = authority.takeBack(decision.why);
        log.warn("rollout stopped", { revision, why: decision.why, takenBackAs: takenBack?.revision });
        this.#parts.meshChanged();
        this.#parts.give(takenBack?.changed ?? []);
        this.#say({ kind: "stopped", why: decision.why, takenBack });
        return true;
      }
      case "advance":
        if (!this.#knowsWhoIsThere(course.waves[course.begun] ?? [])) return false;
        this.#parts.give(authority.advance());
        log.info("rollout: the next wave", { revision, wave: course.begun + 1 });
        this.#parts.meshChanged();
        return true;
      case "finish":
        authority.advance();
        log.info("rolled out", { revision });
        this.#parts.meshChanged();
        this.#say({ kind: "done" });
        return true;
    }
  }

  /** After a start nobody is connected yet: those that come back in time are waited for. */
  #knowsWhoIsThere(wave: readonly string[]): boolean {
    const { fleet, now } = this.#parts;
    if (now().getTime() - this.#startedAt > lostAfterMs) return true;
    return wave.every((node) => {
      const view = fleet.view(node);
      return view.connected || !isMember(view);
    });
  }

  #watch(running: RolloutRecord | undefined): void {
    const before = this.#wave;
    if (running === undefined) {
      this.#wave = undefined;
      return;
    }
    const { revision, course } = running;
    if (before?.revision === revision && before.begun === course.begun) return;
    this.#wave = { revision, begun: course.begun, since: this.#parts.now().getTime() };
    if (before !== undefined && before.revision !== revision) this.#say({ kind: "superseded" });
    const nodes = course.waves[course.begun - 1] ?? [];
    this.#say({ kind: "wave", number: course.begun, of: course.waves.length, nodes });
  }

  #say(event: RolloutEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** The running one, or the one whose taking back is the current revision. */
  status(): RolloutStatus | undefined {
    const { store, authority, word, now } = this.#parts;
    const shown =
      authority.inForce.running ??
      store.rollouts.list().find((each) => each.state === "stopped" && each.endedBy === authority.revision);
    if (shown === undefined) return undefined;
    const { revision, base, state, course, why, endedBy } = shown;
    const isRunning = state === "running";
    const since = this.#wave?.since ?? now().getTime();
    const decision = isRunning ? decide(course, word, now().getTime() - since) : undefined;
    const nodes = course.waves.flat();
    const ended = [...course.given.keys()];
    return {
      revision,
      base,
      state: isRunning ? "running" : "stopped",
      wave: course.begun,
      waves: course.waves.length,
      nodes: nodes.length,
      given: ended.length,
      waitingFor: decision?.kind === "wait" ? decision.nodes : [],
      absent: isRunning ? ended.filter((node) => !word(node).isThere) : [],
      why,
      takenBackAs: endedBy ?? 0,
    };
  }
}
