// In: the revisions and their rollouts. Out: what became of each. Pure.
import type { Revision, RolloutRecord } from "../store/records.ts";

export interface Outcome {
  readonly outcome: "in-force" | "rolling-out" | "stopped" | "superseded" | "rolled-back" | "replaced";
  readonly detail: string;
}

/** @param revisions newest first */
export function outcomesOf(
  revisions: readonly Revision[],
  rollouts: readonly RolloutRecord[],
): ReadonlyMap<number, Outcome> {
  const rolloutOf = new Map(rollouts.map((rollout) => [rollout.revision, rollout]));
  const running = rollouts.find(({ state }) => state === "running");
  const outcomes = new Map<number, Outcome>();
  /** The one after it that came into force, or is about to. */
  let successor: Revision | undefined;
  for (const entry of revisions) {
    const rollout = rolloutOf.get(entry.revision);
    outcomes.set(entry.revision, outcomeOf(entry, rollout, running, successor));
    if (rollout?.state !== "stopped" && rollout?.state !== "superseded") successor = entry;
  }
  return outcomes;
}

function outcomeOf(
  entry: Revision,
  rollout: RolloutRecord | undefined,
  running: RolloutRecord | undefined,
  successor: Revision | undefined,
): Outcome {
  switch (rollout?.state) {
    case "running":
      return {
        outcome: "rolling-out",
        detail: `wave ${rollout.course.begun} of ${rollout.course.waves.length}`,
      };
    case "stopped": {
      const taken = rollout.endedBy === undefined ? "" : `; taken back as revision ${rollout.endedBy}`;
      return { outcome: "stopped", detail: `${rollout.why}${taken}` };
    }
    case "superseded":
      return {
        outcome: "superseded",
        detail: `by revision ${rollout.endedBy ?? "?"}, before it was everywhere`,
      };
    case "done":
    case undefined:
  }
  if (running?.base === entry.revision)
    return { outcome: "in-force", detail: `where revision ${running.revision} has not come to` };
  if (successor === undefined) return { outcome: "in-force", detail: "" };
  if (successor.restores === entry.revision)
    return { outcome: "replaced", detail: `in force again as revision ${successor.revision}` };
  if (successor.restores !== undefined)
    return {
      outcome: "rolled-back",
      detail: `to revision ${successor.restores}, as revision ${successor.revision}`,
    };
  return { outcome: "replaced", detail: `by revision ${successor.revision}` };
}
