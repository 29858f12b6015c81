// The nodes that ever joined, and the tokens with which they may. Rows <-> records.
import type { DatabaseSync } from "node:sqlite";
import { givenSvid, givenSvidText } from "./given-svid.ts";
import {
  type EnrolmentState,
  enrolmentStates,
  type GivenSvid,
  type NodeRecord,
  type TokenClaim,
  type TokenRecord,
} from "./records.ts";
import { bytes, integer, oneOfColumn, optional, type Row, text, time } from "./row.ts";
import type { NodeTable, TokenTable } from "./store.ts";

function nodeOf(row: Row): NodeRecord {
  return {
    name: text(row, "name"),
    state: oneOfColumn(row, "state", enrolmentStates),
    enrolmentKey: bytes(row, "enrolment_key"),
    enrolmentGeneration: integer(row, "enrolment_generation"),
    svidNotBefore: time(row, "svid_not_before"),
    joinedAt: time(row, "joined_at"),
    agentVersion: text(row, "agent_version"),
    lastSeen: optional(row, "last_seen", time),
    reEntry: optional(row, "re_entry", givenSvid),
    exchangeExpires: optional(row, "exchange_expires", time),
  };
}

export class SqliteNodes implements NodeTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(name: string): NodeRecord | undefined {
    const row = this.#database.prepare("SELECT * FROM nodes WHERE name = ?").get(name);
    return row === undefined ? undefined : nodeOf(row);
  }

  list(): NodeRecord[] {
    return this.#database.prepare("SELECT * FROM nodes ORDER BY name").all().map(nodeOf);
  }

  put(node: NodeRecord): void {
    this.#database
      .prepare(
        `INSERT INTO nodes (name, state, enrolment_key, enrolment_generation, svid_not_before, joined_at,
           agent_version, last_seen, re_entry, exchange_expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET state = excluded.state, enrolment_key = excluded.enrolment_key,
           enrolment_generation = excluded.enrolment_generation, svid_not_before = excluded.svid_not_before,
           joined_at = excluded.joined_at, agent_version = excluded.agent_version,
           last_seen = excluded.last_seen, re_entry = excluded.re_entry,
           exchange_expires = excluded.exchange_expires`,
      )
      .run(
        node.name,
        node.state,
        node.enrolmentKey,
        node.enrolmentGeneration,
        node.svidNotBefore.getTime(),
        node.joinedAt.getTime(),
        node.agentVersion,
        node.lastSeen?.getTime() ?? null,
        node.reEntry === undefined ? null : givenSvidText(node.reEntry),
        node.exchangeExpires?.getTime() ?? null,
      );
  }

  setState(name: string, state: EnrolmentState): void {
    this.#database.prepare("UPDATE nodes SET state = ? WHERE name = ?").run(state, name);
  }

  setReEntry(name: string, generation: number, given: GivenSvid): void {
    this.#database
      .prepare("UPDATE nodes SET enrolment_generation = ?, re_entry = ? WHERE name = ?")
      .run(generation, givenSvidText(given), name);
  }

  setExchangeExpires(name: string, at: Date): void {
    this.#database
      .prepare("UPDATE nodes SET exchange_expires = max(ifnull(exchange_expires, 0), ?) WHERE name = ?")
      .run(at.getTime(), name);
  }

  setSeen(name: string, at: Date, agentVersion: string): void {
    this.#database
      .prepare("UPDATE nodes SET last_seen = ?, agent_version = ? WHERE name = ?")
      .run(at.getTime(), agentVersion, name);
  }
}

function tokenOf(row: Row): TokenRecord {
  const key = optional(row, "claim_key", text);
  return {
    hash: text(row, "hash"),
    node: text(row, "node"),
    address: optional(row, "address", text),
    expires: time(row, "expires"),
    claim: key === undefined ? undefined : { key, address: text(row, "claim_address") },
    answer: optional(row, "answer", givenSvid),
  };
}

export class SqliteTokens implements TokenTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(hash: string): TokenRecord | undefined {
    const row = this.#database.prepare("SELECT * FROM tokens WHERE hash = ?").get(hash);
    return row === undefined ? undefined : tokenOf(row);
  }

  put(token: TokenRecord): void {
    this.#database
      .prepare(
        `INSERT INTO tokens (hash, node, address, expires, claim_key, claim_address, answer)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        token.hash,
        token.node,
        token.address ?? null,
        token.expires.getTime(),
        token.claim?.key ?? null,
        token.claim?.address ?? null,
        token.answer === undefined ? null : givenSvidText(token.answer),
      );
  }

  claim(hash: string, claim: TokenClaim): void {
    this.#database
      .prepare("UPDATE tokens SET claim_key = ?, claim_address = ? WHERE hash = ? AND claim_key IS NULL")
      .run(claim.key, claim.address, hash);
  }

  answer(hash: string, given: GivenSvid): void {
    this.#database.prepare("UPDATE tokens SET answer = ? WHERE hash = ?").run(givenSvidText(given), hash);
  }

  dropOf(node: string): void {
    this.#database.prepare("DELETE FROM tokens WHERE node = ?").run(node);
  }

  dropExpired(before: Date): void {
    this.#database.prepare("DELETE FROM tokens WHERE expires < ?").run(before.getTime());
  }
}
