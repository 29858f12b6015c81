// Bans, and the epoch that each of them raises. Rows <-> records. Called inside a transaction with what goes along.
import type { DatabaseSync } from "node:sqlite";
import type { Ban } from "./records.ts";
import { type Row, text, time } from "./row.ts";
import type { BanTable, SettingTable } from "./store.ts";

const epochAs = "ban epoch";

function banOf(row: Row): Ban {
  return {
    node: text(row, "node"),
    addresses: text(row, "addresses")
      .split(" ")
      .filter((address) => address !== ""),
    at: time(row, "at"),
    claimedBy: text(row, "claimed_by"),
    reason: text(row, "reason"),
  };
}

export class SqliteBans implements BanTable {
  readonly #database: DatabaseSync;
  readonly #settings: SettingTable;

  constructor(database: DatabaseSync, settings: SettingTable) {
    this.#database = database;
    this.#settings = settings;
  }

  get(node: string): Ban | undefined {
    const row = this.#database.prepare("SELECT * FROM bans WHERE node = ?").get(node);
    return row === undefined ? undefined : banOf(row);
  }

  list(): Ban[] {
    return this.#database.prepare("SELECT * FROM bans ORDER BY node").all().map(banOf);
  }

  put(ban: Ban): void {
    this.#database
      .prepare("INSERT INTO bans (node, addresses, at, claimed_by, reason) VALUES (?, ?, ?, ?, ?)")
      .run(ban.node, ban.addresses.join(" "), ban.at.getTime(), ban.claimedBy, ban.reason);
    this.#raise();
  }

  drop(node: string): void {
    this.#database.prepare("DELETE FROM bans WHERE node = ?").run(node);
    this.#raise();
  }

  epoch(): number {
    return this.#settings.number(epochAs) ?? 0;
  }

  #raise(): void {
    this.#settings.setNumber(epochAs, this.epoch() + 1);
  }
}
