import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FakeSpire } from "../../../../test/support/fake-spire.ts";
import type { NodeRecord } from "../store/records.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import { sha256Hex } from "./enrolment-key.ts";
import { Membership } from "./membership.ts";

const start = Date.parse("2026-03-01T10:00:00Z");
const agentId = "spiffe://mesh.internal/spire/agent/x509pop/web1";
const node: NodeRecord = {
  name: "web1",
  state: "enrolled",
  enrolmentKey: Uint8Array.of(1),
  enrolmentGeneration: 1,
  svidNotBefore: new Date(start),
  joinedAt: new Date(start),
  agentVersion: "",
  lastSeen: undefined,
  reEntry: undefined,
  exchangeExpires: new Date(start + 300_000),
};
const wish = { node: "web1", address: "10.0.0.1", ttlSeconds: 900, actor: "ada", online: false };

let store: SqliteStore;
let spire: FakeSpire;
let nowMs: number;
let changes: string[];
let membership: Membership;
beforeEach(() => {
  store = new SqliteStore(":memory:");
  spire = new FakeSpire();
  nowMs = start;
  changes = [];
  membership = new Membership({
    store,
    spire,
    trustDomain: "mesh.internal",
    now: () => new Date(nowMs),
    randomBytes: (count) => new Uint8Array(count).fill(changes.length + 1),
    changed: (name, state) => changes.push(`${name} ${state}`),
  });
});
afterEach(() => store.close());

describe("a join token", () => {
  it("is kept as a hash only, and takes the place of the one before", () => {
    const first = membership.addToken(wish);
    expect(first.token).toMatch(/^web1\.[A-Za-z0-9_-]{32}$/);
    expect(first.expires).toEqual(new Date(start + 900_000));
    expect(store.tokens.get(sha256Hex(first.token))).toMatchObject({ node: "web1", address: "10.0.0.1" });
    expect(JSON.stringify(store.audit.list(9))).not.toContain(first.token.slice(5));
    changes.push("another random");
    const second = membership.addToken(wish);
    expect(store.tokens.get(sha256Hex(first.token))).toBeUndefined();
    expect(store.tokens.get(sha256Hex(second.token))).toBeDefined();
  });

  it.each([
    ["for no time", { ttlSeconds: 0 }, "WEFT-E001"],
    ["for more than a week", { ttlSeconds: 604_801 }, "WEFT-E001"],
    ["for a node that answers", { online: true }, "WEFT-E101"],
  ])("is not made %s", (_what, change, code) => {
    store.nodes.put(node);
    expect(() => membership.addToken({ ...wish, ...change })).toThrow(expect.objectContaining({ code }));
  });

  it("is made for a node that is lost, but for no banned one", () => {
    store.nodes.put(node);
    membership.addToken(wish);
    store.nodes.setState("web1", "banned");
    expect(() => membership.addToken(wish)).toThrow(expect.objectContaining({ code: "WEFT-E204" }));
  });
});

describe("a removed node", () => {
  it("keeps its SPIRE agent banned until no exchange SVID can bring it back; then the name is free", async () => {
    store.nodes.put(node);
    membership.remove("web1", "ada");
    expect(changes).toEqual(["web1 removed"]);
    await membership.evict();
    expect([...spire.banned]).toEqual([agentId]);
    expect(spire.deleted).toEqual([]);
    expect(() => membership.addToken(wish)).toThrow("the name web1 is not free yet");

    nowMs = start + 300_000;
    await membership.evict();
    expect(spire.deleted).toEqual([agentId]);
    expect(store.evictions.list()).toEqual([]);
    membership.addToken(wish);
  });

  it("is banned as soon as the SPIRE server answers again", async () => {
    store.nodes.put(node);
    membership.remove("web1", "ada");
    spire.away = true;
    await expect(membership.evict()).rejects.toMatchObject({ code: "WEFT-E501" });
    expect(store.evictions.list()).toHaveLength(1);
    spire.away = false;
    await membership.evict();
    expect([...spire.banned]).toEqual([agentId]);
  });

  it("must have joined, and its unused tokens end with the word", () => {
    const { token } = membership.addToken(wish);
    expect(() => membership.remove("web1", "ada")).toThrow(expect.objectContaining({ code: "WEFT-E103" }));
    expect(store.tokens.get(sha256Hex(token))).toBeUndefined();
  });
});

describe("a banned node", () => {
  const ban = { node: "web1", addresses: ["10.0.0.1", "fd00::1"], claimedBy: "ada", reason: "stolen" };

  it("has SPIRE agent, tokens and epoch ended with one word, and cannot be removed, re-invited or banned twice", async () => {
    store.nodes.put({ ...node, state: "joining" });
    const { token } = membership.addToken(wish);
    membership.ban(ban);
    expect(changes).toEqual(["web1 banned"]);
    expect(store.nodes.get("web1")?.state).toBe("banned");
    expect(store.tokens.get(sha256Hex(token))).toBeUndefined();
    expect(store.bans.list()).toEqual([{ ...ban, at: new Date(start) }]);
    expect(store.bans.epoch()).toBe(1);
    expect(store.audit.newest("web1", ["banned"])).toMatchObject({
      actor: "ada",
      detail: expect.stringMatching(/^stolen; /),
    });
    await membership.evict();
    expect([...spire.banned]).toEqual([agentId]);
    for (const again of [
      () => membership.ban(ban),
      () => membership.remove("web1", "ada"),
      () => membership.leave("web1"),
      () => membership.addToken(wish),
    ])
      expect(again).toThrow(expect.objectContaining({ code: "WEFT-E204" }));
    expect(store.bans.epoch()).toBe(1);
  });

  it("must have joined", () => {
    expect(() => membership.ban(ban)).toThrow(expect.objectContaining({ code: "WEFT-E103" }));
    expect(store.bans.list()).toEqual([]);
    expect(() => membership.unban("web1", "ada", "")).toThrow(expect.objectContaining({ code: "WEFT-E103" }));
  });

  it("is a member again after it is unbanned, and SPIRE has forgotten its agent; the epoch only grows", async () => {
    store.nodes.put(node);
    membership.ban(ban);
    await membership.evict();
    membership.unban("web1", "eve", "found");
    expect(changes).toEqual(["web1 banned", "web1 enrolled"]);
    expect(store.bans.get("web1")).toBeUndefined();
    expect(store.bans.epoch()).toBe(2);
    await membership.evict();
    expect(spire.deleted).toEqual([agentId]);
    expect(store.evictions.list()).toEqual([]);
    membership.addToken(wish);
  });
});

describe("a node that leaves", () => {
  it("has its SPIRE agent deleted at once and again when its last exchange SVID is over, and may return", async () => {
    store.nodes.put(node);
    membership.leave("web1");
    await membership.evict();
    expect(spire.deleted).toEqual([agentId]);
    expect(spire.banned.size).toBe(0);
    membership.addToken(wish);
    nowMs = start + 300_000;
    await membership.evict();
    expect(spire.deleted).toEqual([agentId, agentId]);
    expect(store.evictions.list()).toEqual([]);
  });
});
