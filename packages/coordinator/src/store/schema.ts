// In: an open SQLite database. Out: the same, brought to the newest schema step by step; newer ones are refused.
import type { DatabaseSync } from "node:sqlite";
import { WeftError } from "@weft/shared/errors/weft-error";
import { integer } from "./row.ts";

/** Migration n leads from user_version n to n + 1. One that was released is never changed. */
const migrations: readonly string[] = [
  `
  CREATE TABLE revisions (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    claimed_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    digest TEXT NOT NULL
  ) STRICT;
  CREATE TABLE sources (
    revision INTEGER NOT NULL REFERENCES revisions (revision),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (revision, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE nodes (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    enrolment_key BLOB NOT NULL,
    enrolment_generation INTEGER NOT NULL,
    svid_not_before INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    agent_version TEXT NOT NULL,
    last_seen INTEGER,
    re_entry TEXT,
    exchange_expires INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tokens (
    hash TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    address TEXT,
    expires INTEGER NOT NULL,
    claim_key TEXT,
    claim_address TEXT,
    answer TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tokens_by_node ON tokens (node);
  CREATE TABLE desired (
    node TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    digest TEXT NOT NULL,
    revision INTEGER NOT NULL REFERENCES revisions (revision),
    content TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE reports (
    node TEXT PRIMARY KEY REFERENCES nodes (name) ON DELETE CASCADE,
    report BLOB,
    facts BLOB
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE evictions (
    node TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL,
    due INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  `,
  `
  CREATE TABLE bans (
    node TEXT PRIMARY KEY,
    addresses TEXT NOT NULL,
    at INTEGER NOT NULL,
    claimed_by TEXT NOT NULL,
    reason TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE revisions ADD COLUMN restores INTEGER;
  CREATE TABLE rollouts (
    revision INTEGER PRIMARY KEY REFERENCES revisions (revision),
    base INTEGER NOT NULL REFERENCES revisions (revision),
    state TEXT NOT NULL,
    course TEXT NOT NULL,
    flags TEXT NOT NULL,
    why TEXT NOT NULL,
    ended_by INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX one_rollout_runs ON rollouts (state) WHERE state = 'running';
  `,
];

export const newestSchema = migrations.length;

/** @param upTo for tests of what an older release left */
export function migrate(database: DatabaseSync, upTo = newestSchema): void {
  const row = database.prepare("PRAGMA user_version").get();
  const version = row === undefined ? 0 : integer(row, "user_version");
  if (version > newestSchema)
    throw new WeftError("WEFT-E502", "the store was written by a newer release", {
      why: `its schema is version ${version}, and this release knows versions up to ${newestSchema}`,
      hint: "install that release again, or restore a backup made by this one",
    });
  for (const [step, sql] of migrations.entries()) {
    if (step < version || step >= upTo) continue;
    database.exec("BEGIN IMMEDIATE");
    try {
      database.exec(sql);
      database.exec(`PRAGMA user_version = ${step + 1}`);
      database.exec("COMMIT");
    } catch (failure) {
      database.exec("ROLLBACK");
      throw failure;
    }
  }
}
