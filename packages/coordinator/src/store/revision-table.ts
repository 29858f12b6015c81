// The mesh file's history, and what was compiled from it for each node. Rows <-> records.
import type { DatabaseSync } from "node:sqlite";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { DesiredContent } from "@weft/shared/model/desired";
import { parseDigest } from "@weft/shared/model/ids";
import { digestOf } from "@weft/shared/plan/canonical";
import type { Revision, SourceText, StoredDesired } from "./records.ts";
import { integer, json, optional, type Row, text, time } from "./row.ts";
import type { DesiredTable, RevisionTable } from "./store.ts";

function revisionOf(row: Row): Revision {
  return {
    revision: integer(row, "revision"),
    at: time(row, "at"),
    claimedBy: text(row, "claimed_by"),
    reason: text(row, "reason"),
    digest: text(row, "digest"),
    restores: optional(row, "restores", integer),
  };
}

export class SqliteRevisions implements RevisionTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  current(): Revision | undefined {
    const row = this.#database.prepare("SELECT * FROM revisions ORDER BY revision DESC LIMIT 1").get();
    return row === undefined ? undefined : revisionOf(row);
  }

  list(): Revision[] {
    return this.#database.prepare("SELECT * FROM revisions ORDER BY revision DESC").all().map(revisionOf);
  }

  sources(revision: number): SourceText[] | undefined {
    const known = this.#database.prepare("SELECT 1 FROM revisions WHERE revision = ?").get(revision);
    if (known === undefined) return undefined;
    return this.#database
      .prepare("SELECT name, text FROM sources WHERE revision = ? ORDER BY position")
      .all(revision)
      .map((row) => ({ name: text(row, "name"), text: text(row, "text") }));
  }

  append(entry: Omit<Revision, "revision">, sources: readonly SourceText[]): Revision {
    const row = this.#database
      .prepare(
        "INSERT INTO revisions (at, claimed_by, reason, digest, restores) VALUES (?, ?, ?, ?, ?) RETURNING revision",
      )
      .get(entry.at.getTime(), entry.claimedBy, entry.reason, entry.digest, entry.restores ?? null);
    const revision = integer(row ?? {}, "revision");
    const insert = this.#database.prepare(
      "INSERT INTO sources (revision, position, name, text) VALUES (?, ?, ?, ?)",
    );
    for (const [position, source] of sources.entries())
      insert.run(revision, position, source.name, source.text);
    return { ...entry, revision };
  }
}

function desiredOf(row: Row): StoredDesired {
  // Written by this program and sealed by its digest: one comparison tells whether it is still what was written.
  const { confirmTimeoutSeconds, keepEstablished, ...content } = json(row, "content") as DesiredContent &
    Pick<StoredDesired, "confirmTimeoutSeconds" | "keepEstablished">;
  const digest = parseDigest(text(row, "digest"));
  const node = text(row, "node");
  if (digestOf(content) !== digest)
    throw new WeftError(
      "WEFT-E502",
      `the store is damaged: the state compiled for ${node} fails its digest`,
      {
        hint: "restore the newest backup of the state directory",
      },
    );
  return {
    ...content,
    generation: integer(row, "generation"),
    digest,
    revision: integer(row, "revision"),
    ...(confirmTimeoutSeconds === undefined ? {} : { confirmTimeoutSeconds }),
    ...(keepEstablished === undefined ? {} : { keepEstablished }),
  };
}

export class SqliteDesired implements DesiredTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(node: string): StoredDesired | undefined {
    const row = this.#database.prepare("SELECT * FROM desired WHERE node = ?").get(node);
    return row === undefined ? undefined : desiredOf(row);
  }

  list(): StoredDesired[] {
    return this.#database.prepare("SELECT * FROM desired ORDER BY node").all().map(desiredOf);
  }

  put(state: StoredDesired): void {
    const { generation, digest, revision, ...content } = state;
    this.#database
      .prepare(
        `INSERT INTO desired (node, generation, digest, revision, content) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (node) DO UPDATE SET generation = excluded.generation, digest = excluded.digest,
           revision = excluded.revision, content = excluded.content`,
      )
      .run(state.node, generation, digest, revision, JSON.stringify(content));
  }

  drop(node: string): void {
    this.#database.prepare("DELETE FROM desired WHERE node = ?").run(node);
  }
}
