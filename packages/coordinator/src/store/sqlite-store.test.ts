import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import type { NodeRecord } from "./records.ts";
import { migrate } from "./schema.ts";
import { SqliteStore } from "./sqlite-store.ts";

const at = new Date("2026-03-01T10:00:00Z");
const node: NodeRecord = {
  name: "web1",
  state: "joining",
  enrolmentKey: Uint8Array.of(1, 2, 3),
  enrolmentGeneration: 1,
  svidNotBefore: at,
  joinedAt: at,
  agentVersion: "0.1.0",
  lastSeen: undefined,
  reEntry: undefined,
  exchangeExpires: undefined,
};

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-store-"));
  path = join(folder, "store.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the store", () => {
  it("gives back after reopening what was put in", () => {
    const store = new SqliteStore(path);
    store.nodes.put(node);
    const given = { csrHash: "ab", chain: [Uint8Array.of(9), Uint8Array.of(8)], expires: at };
    store.nodes.setReEntry("web1", 4, given);
    store.nodes.setExchangeExpires("web1", at);
    store.tokens.put({
      hash: "h",
      node: "web1",
      address: "10.0.0.1",
      expires: at,
      claim: undefined,
      answer: undefined,
    });
    store.tokens.claim("h", { key: "k", address: "10.0.0.1" });
    store.tokens.answer("h", given);
    const sources = [
      { name: "mesh.yaml", text: "weft: v1\n" },
      { name: "b.yaml", text: "" },
    ];
    const first = store.revisions.append({ at, claimedBy: "ada", reason: "first", digest: "d" }, sources);
    const state = { ...sealed(emptyContent("web1")), generation: 3, revision: first.revision };
    store.desired.put(state);
    store.reports.put({ node: "web1", report: Uint8Array.of(1), facts: undefined });
    store.reports.put({ node: "web1", report: undefined, facts: Uint8Array.of(2) });
    store.settings.setNumber("bundle sequence", 7);
    store.evictions.put({ node: "web1", agentId: "spiffe://a/b", due: at });
    store.audit.append({ at, actor: "ada", action: "apply", subject: "1", detail: "" });
    store.close();

    const again = new SqliteStore(path);
    expect(again.nodes.get("web1")).toEqual({
      ...node,
      enrolmentGeneration: 4,
      reEntry: given,
      exchangeExpires: at,
    });
    expect(again.tokens.get("h")).toMatchObject({ claim: { key: "k", address: "10.0.0.1" }, answer: given });
    expect(again.revisions.current()).toEqual(first);
    expect(again.revisions.sources(first.revision)).toEqual(sources);
    expect(again.revisions.sources(99)).toBeUndefined();
    expect(again.desired.get("web1")).toEqual(state);
    expect(again.reports.list()).toEqual([
      { node: "web1", report: Uint8Array.of(1), facts: Uint8Array.of(2) },
    ]);
    expect(again.settings.number("bundle sequence")).toBe(7);
    expect(again.evictions.list()).toEqual([{ node: "web1", agentId: "spiffe://a/b", due: at }]);
    expect(again.audit.list(5)).toHaveLength(1);
    again.close();
  });

  it("is readable by its owner only", () => {
    new SqliteStore(path).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("does all of a transaction or nothing", () => {
    const store = new SqliteStore(":memory:");
    expect(() =>
      store.transaction(() => {
        store.nodes.put(node);
        store.transaction(() => store.settings.setNumber("n", 1));
        throw new Error("power cut");
      }),
    ).toThrow("power cut");
    expect(store.nodes.get("web1")).toBeUndefined();
    expect(store.settings.number("n")).toBeUndefined();
    store.transaction(() => store.nodes.put(node));
    expect(store.nodes.get("web1")).toEqual(node);
    store.close();
  });

  it("keeps the first claim on a token", () => {
    const store = new SqliteStore(":memory:");
    store.tokens.put({
      hash: "h",
      node: "web1",
      address: undefined,
      expires: at,
      claim: undefined,
      answer: undefined,
    });
    store.tokens.claim("h", { key: "first", address: "a" });
    store.tokens.claim("h", { key: "second", address: "b" });
    expect(store.tokens.get("h")?.claim?.key).toBe("first");
    store.close();
  });

  it("takes over the store of the first release, with all that is in it", () => {
    const old = new DatabaseSync(path);
    migrate(old, 1);
    old.exec("INSERT INTO revisions (at, claimed_by, reason, digest) VALUES (7, 'ada', 'first', 'd')");
    old.close();
    const store = new SqliteStore(path);
    expect(store.revisions.current()).toMatchObject({ revision: 1, claimedBy: "ada", restores: undefined });
    expect(store.rollouts.list()).toEqual([]);
    const entry = { at, claimedBy: "", reason: "", digest: "d", restores: 1 };
    expect(store.revisions.append(entry, [])).toEqual({ ...entry, revision: 2 });
    expect(store.revisions.current()?.restores).toBe(1);
    store.close();
  });

  it("refuses the store of a newer release, and leaves it as it was", () => {
    new SqliteStore(path).close();
    const raw = new DatabaseSync(path);
    raw.exec("PRAGMA user_version = 99");
    raw.close();
    expect(() => new SqliteStore(path)).toThrow(expect.objectContaining({ code: "WEFT-E502" }));
    const still = new DatabaseSync(path);
    expect(still.prepare("PRAGMA user_version").get()).toEqual({ user_version: 99 });
    still.close();
  });

  it("refuses a file with a damaged page by name, before anything of it is believed", () => {
    new SqliteStore(path).close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xa5, 4096, 4096 * 4));
    expect(() => new SqliteStore(path)).toThrow(
      expect.objectContaining({ code: "WEFT-E502", message: expect.stringContaining(path) }),
    );
  });

  it("refuses a compiled state whose content was changed behind its back", () => {
    const store = new SqliteStore(path);
    const { revision } = store.revisions.append({ at, claimedBy: "", reason: "", digest: "d" }, []);
    store.desired.put({ ...sealed(emptyContent("web1")), generation: 1, revision });
    store.close();
    const raw = new DatabaseSync(path);
    raw.exec("UPDATE desired SET content = replace(content, 'guards-only', 'open')");
    raw.close();
    const again = new SqliteStore(path);
    expect(() => again.desired.get("web1")).toThrow("fails its digest");
    again.close();
  });

  it("lets nobody rewrite the audit log", () => {
    const store = new SqliteStore(path);
    store.audit.append({ at, actor: "ada", action: "apply", subject: "1", detail: "" });
    store.close();
    const raw = new DatabaseSync(path);
    expect(() => raw.exec("DELETE FROM audit")).toThrow("append-only");
    expect(() => raw.exec("UPDATE audit SET actor = 'eve'")).toThrow("append-only");
    raw.close();
  });
});
