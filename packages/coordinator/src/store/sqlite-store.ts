// In: a path, or ":memory:". Out: the Store over SQLite: write-ahead log, every commit synced to disk.
import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { SqliteBans } from "./ban-table.ts";
import { SqliteNodes, SqliteTokens } from "./node-table.ts";
import { SqliteAudit, SqliteEvictions, SqliteReports, SqliteSettings } from "./record-tables.ts";
import { SqliteDesired, SqliteRevisions } from "./revision-table.ts";
import { SqliteRollouts } from "./rollout-table.ts";
import { migrate } from "./schema.ts";
import type { Store } from "./store.ts";

function storeError(message: string, cause: unknown): WeftError {
  return new WeftError("WEFT-E502", message, {
    why: messageOf(cause),
    hint: "check the disk; if the file is damaged, restore the newest backup of the state directory",
    cause,
  });
}

function isSqliteError(value: unknown): boolean {
  return typeof value === "object" && value !== null && "code" in value && value.code === "ERR_SQLITE_ERROR";
}

/** Pages that cannot be read would be found one by one, much later, and in the middle of something. */
function requireWhole(database: DatabaseSync): void {
  const found = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (found !== "ok") throw new Error(String(found));
}

function open(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 });
    if (path !== ":memory:") chmodSync(path, 0o600);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF");
    requireWhole(database);
    migrate(database);
    return database;
  } catch (failure) {
    database?.close();
    if (isWeftError(failure)) throw failure;
    throw storeError(`the store ${path} cannot be opened`, failure);
  }
}

export class SqliteStore implements Store {
  readonly revisions: SqliteRevisions;
  readonly rollouts: SqliteRollouts;
  readonly nodes: SqliteNodes;
  readonly tokens: SqliteTokens;
  readonly desired: SqliteDesired;
  readonly reports: SqliteReports;
  readonly settings: SqliteSettings;
  readonly evictions: SqliteEvictions;
  readonly bans: SqliteBans;
  readonly audit: SqliteAudit;
  readonly #database: DatabaseSync;
  #depth = 0;

  constructor(path: string) {
    this.#database = open(path);
    this.revisions = new SqliteRevisions(this.#database);
    this.rollouts = new SqliteRollouts(this.#database);
    this.nodes = new SqliteNodes(this.#database);
    this.tokens = new SqliteTokens(this.#database);
    this.desired = new SqliteDesired(this.#database);
    this.reports = new SqliteReports(this.#database);
    this.settings = new SqliteSettings(this.#database);
    this.evictions = new SqliteEvictions(this.#database);
    this.bans = new SqliteBans(this.#database, this.settings);
    this.audit = new SqliteAudit(this.#database);
  }

  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#depth = 1;
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (failure) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw isSqliteError(failure) ? storeError("the store cannot be written", failure) : failure;
    } finally {
      this.#depth = 0;
    }
  }

  close(): void {
    this.#database.close();
  }
}
