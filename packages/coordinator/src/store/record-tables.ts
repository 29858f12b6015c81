// The small tables: last reports, settings, evictions to come, audit. Rows <-> records.
import type { DatabaseSync } from "node:sqlite";
import type { AuditEntry, Eviction, StoredReport } from "./records.ts";
import { bytes, integer, optional, type Row, text, time } from "./row.ts";
import type { AuditTable, EvictionTable, ReportTable, SettingTable } from "./store.ts";

export class SqliteReports implements ReportTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  list(): StoredReport[] {
    return this.#database
      .prepare("SELECT * FROM reports ORDER BY node")
      .all()
      .map((row) => ({
        node: text(row, "node"),
        report: optional(row, "report", bytes),
        facts: optional(row, "facts", bytes),
      }));
  }

  put(entry: StoredReport): void {
    this.#database
      .prepare(
        `INSERT INTO reports (node, report, facts) VALUES (?, ?, ?)
         ON CONFLICT (node) DO UPDATE SET report = ifnull(excluded.report, report),
           facts = ifnull(excluded.facts, facts)`,
      )
      .run(entry.node, entry.report ?? null, entry.facts ?? null);
  }

  drop(node: string): void {
    this.#database.prepare("DELETE FROM reports WHERE node = ?").run(node);
  }
}

export class SqliteSettings implements SettingTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  #row(name: string): Row | undefined {
    return this.#database.prepare("SELECT value FROM settings WHERE name = ?").get(name);
  }

  #set(name: string, value: number | Uint8Array): void {
    this.#database
      .prepare(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      )
      .run(name, value);
  }

  number(name: string): number | undefined {
    const row = this.#row(name);
    return row === undefined ? undefined : integer(row, "value");
  }

  setNumber(name: string, value: number): void {
    this.#set(name, value);
  }

  bytes(name: string): Uint8Array | undefined {
    const row = this.#row(name);
    return row === undefined ? undefined : bytes(row, "value");
  }

  setBytes(name: string, value: Uint8Array): void {
    this.#set(name, value);
  }
}

function evictionOf(row: Row): Eviction {
  return { node: text(row, "node"), agentId: text(row, "agent_id"), due: time(row, "due") };
}

export class SqliteEvictions implements EvictionTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(node: string): Eviction | undefined {
    const row = this.#database.prepare("SELECT * FROM evictions WHERE node = ?").get(node);
    return row === undefined ? undefined : evictionOf(row);
  }

  list(): Eviction[] {
    return this.#database.prepare("SELECT * FROM evictions ORDER BY node").all().map(evictionOf);
  }

  put(eviction: Eviction): void {
    this.#database
      .prepare(
        `INSERT INTO evictions (node, agent_id, due) VALUES (?, ?, ?)
         ON CONFLICT (node) DO UPDATE SET agent_id = excluded.agent_id, due = excluded.due`,
      )
      .run(eviction.node, eviction.agentId, eviction.due.getTime());
  }

  drop(node: string): void {
    this.#database.prepare("DELETE FROM evictions WHERE node = ?").run(node);
  }
}

function auditOf(row: Row): AuditEntry {
  return {
    at: time(row, "at"),
    actor: text(row, "actor"),
    action: text(row, "action"),
    subject: text(row, "subject"),
    detail: text(row, "detail"),
  };
}

export class SqliteAudit implements AuditTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  append(entry: AuditEntry): void {
    this.#database
      .prepare("INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)")
      .run(entry.at.getTime(), entry.actor, entry.action, entry.subject, entry.detail);
  }

  list(limit: number): AuditEntry[] {
    return this.#database.prepare("SELECT * FROM audit ORDER BY id DESC LIMIT ?").all(limit).map(auditOf);
  }

  newest(subject: string, actions: readonly string[]): AuditEntry | undefined {
    const row = this.#database
      .prepare(
        `SELECT * FROM audit WHERE subject = ? AND action IN (${actions.map(() => "?").join(", ")})
         ORDER BY id DESC LIMIT 1`,
      )
      .get(subject, ...actions);
    return row === undefined ? undefined : auditOf(row);
  }
}
