// Rollouts and how far they are. Rows <-> records.
import type { DatabaseSync } from "node:sqlite";
import type { Course } from "../rollout/course.ts";
import { type GivingFlags, type RolloutRecord, rolloutStates } from "./records.ts";
import { integer, json, oneOfColumn, optional, type Row, text } from "./row.ts";
import type { RolloutTable } from "./store.ts";

type StoredCourse = Omit<Course, "given"> & { readonly given: Record<string, unknown> };

function courseText({ given, ...course }: Course): string {
  return JSON.stringify({ ...course, given: Object.fromEntries(given) });
}

function rolloutOf(row: Row): RolloutRecord {
  // Written by this program.
  const { given, ...course } = json(row, "course") as StoredCourse;
  return {
    revision: integer(row, "revision"),
    base: integer(row, "base"),
    state: oneOfColumn(row, "state", rolloutStates),
    course: { ...course, given: new Map(Object.entries(given)) as Course["given"] },
    flags: json(row, "flags") as GivingFlags,
    why: text(row, "why"),
    endedBy: optional(row, "ended_by", integer),
  };
}

export class SqliteRollouts implements RolloutTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  running(): RolloutRecord | undefined {
    const row = this.#database.prepare("SELECT * FROM rollouts WHERE state = 'running'").get();
    return row === undefined ? undefined : rolloutOf(row);
  }

  get(revision: number): RolloutRecord | undefined {
    const row = this.#database.prepare("SELECT * FROM rollouts WHERE revision = ?").get(revision);
    return row === undefined ? undefined : rolloutOf(row);
  }

  list(): RolloutRecord[] {
    return this.#database.prepare("SELECT * FROM rollouts ORDER BY revision DESC").all().map(rolloutOf);
  }

  put(rollout: RolloutRecord): void {
    this.#database
      .prepare(
        `INSERT INTO rollouts (revision, base, state, course, flags, why, ended_by)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (revision) DO UPDATE SET state = excluded.state, course = excluded.course,
           why = excluded.why, ended_by = excluded.ended_by`,
      )
      .run(
        rollout.revision,
        rollout.base,
        rollout.state,
        courseText(rollout.course),
        JSON.stringify(rollout.flags),
        rollout.why,
        rollout.endedBy ?? null,
      );
  }
}
