import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  enrolmentStates,
  type GivenSvid,
  type NodeRecord,
  type TokenClaim,
  type TokenRecord,
} from "../store/records.ts";
import { decideJoin, type JoinAttempt } from "./join-rules.ts";
import { decideReEntry } from "./re-entry-rules.ts";

const now = new Date("2026-03-01T10:00:00Z");
const later = new Date(now.getTime() + 60_000);
const given: GivenSvid = { csrHash: "csr", chain: [Uint8Array.of(1)], expires: later };
const token: TokenRecord = {
  hash: "h",
  node: "web1",
  address: "10.0.0.1",
  expires: later,
  claim: undefined,
  answer: undefined,
};
const node: NodeRecord = {
  name: "web1",
  state: "joining",
  enrolmentKey: Uint8Array.of(1),
  enrolmentGeneration: 5,
  svidNotBefore: now,
  joinedAt: now,
  agentVersion: "",
  lastSeen: undefined,
  reEntry: undefined,
  exchangeExpires: undefined,
};
const claim: TokenClaim = { key: "mine", address: "10.0.0.1" };
const attempt: JoinAttempt = {
  token,
  node: undefined,
  key: "mine",
  csrHash: "csr",
  address: "10.0.0.1",
  now,
};
const claimed = { ...token, claim, answer: given };

describe("joining", () => {
  const cases: [string, Partial<JoinAttempt>, string, string][] = [
    ["an unknown token", { token: undefined }, "refuse", "not known"],
    ["an expired token", { now: later }, "refuse", "expired at 2026-03-01T10:01:00.000Z"],
    [
      "another address than the declared one",
      { address: "10.0.0.66" },
      "refuse",
      "only good on the machine at",
    ],
    ["a banned node", { node: { ...node, state: "banned" } }, "refuse", "banned"],
    [
      "a used token after the node was confirmed",
      { token: claimed, node: { ...node, state: "enrolled" }, key: "other" },
      "refuse",
      "has been used",
    ],
    [
      "a used token of a suspended node",
      { token: claimed, node: { ...node, state: "suspended" }, key: "other" },
      "refuse",
      "has been used",
    ],
    [
      "the first key of a suspended node",
      { token: claimed, node: { ...node, state: "suspended" } },
      "refuse",
      "suspended",
    ],
    [
      "the first key after the node was removed",
      { token: claimed, node: { ...node, state: "removed" } },
      "refuse",
      "removed",
    ],
    [
      "a second key before the node is confirmed",
      { token: claimed, node, key: "other" },
      "conflict",
      "another machine",
    ],
  ];
  it.each(cases)("lets %s not in", (_what, change, kind, words) => {
    const decision = decideJoin({ ...attempt, ...change });
    expect(decision.kind).toBe(kind);
    expect("sentence" in decision && decision.sentence).toContain(words);
  });

  it("names both machines of a conflict", () => {
    const decision = decideJoin({ ...attempt, token: claimed, node, key: "other", address: "10.0.0.1" });
    expect("detail" in decision && decision.detail).toBe(
      "first key mine from 10.0.0.1, second key other from 10.0.0.1",
    );
  });

  it("binds a fresh token to the key that presents it", () => {
    expect(decideJoin(attempt)).toEqual({ kind: "mint", node: "web1", claim });
  });

  it("takes any source for a token that is not bound to an address", () => {
    const loose = { ...token, address: undefined };
    expect(decideJoin({ ...attempt, token: loose, address: "192.0.2.7" }).kind).toBe("mint");
  });

  it("gives the same key the same answer, and mints anew for a request of its that was never answered", () => {
    expect(decideJoin({ ...attempt, token: claimed, node })).toEqual({ kind: "replay", node: "web1", given });
    expect(decideJoin({ ...attempt, token: claimed, node, csrHash: "new" }).kind).toBe("mint");
    const unanswered = { ...claimed, answer: undefined };
    expect(decideJoin({ ...attempt, token: unanswered, node })).toMatchObject({
      kind: "mint",
      claim: undefined,
    });
  });

  it.each(["left", "removed", "suspended"] as const)(
    "mints for a node that was %s and whose first try got no answer",
    (state) => {
      const unanswered = { ...claimed, answer: undefined };
      expect(decideJoin({ ...attempt, token: unanswered, node: { ...node, state } }).kind).toBe("mint");
    },
  );

  it("never lets in a key other than the first, whatever else is true", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...enrolmentStates, undefined),
        fc.constantFrom("csr", "other csr"),
        fc.integer({ min: -100_000, max: 100_000 }),
        fc.option(fc.constant("10.0.0.1"), { nil: undefined }),
        (state, csrHash, offset, address) => {
          const decision = decideJoin({
            ...attempt,
            token: { ...claimed, address },
            node: state === undefined ? undefined : { ...node, state },
            key: "other",
            csrHash,
            now: new Date(now.getTime() + offset),
          });
          expect(["refuse", "conflict"]).toContain(decision.kind);
        },
      ),
    );
  });
});

describe("coming back", () => {
  const known = { ...node, state: "enrolled" as const, reEntry: given };
  it.each([
    ["the generation it was given", 5, "new", { kind: "mint", generation: 6 }],
    ["a higher one than known here", 8, "new", { kind: "mint", generation: 9 }],
    ["the one before, asking the same", 4, "csr", { kind: "replay", generation: 5, given }],
    ["the one before, asking something else", 4, "new", { kind: "clone" }],
    ["an old one", 2, "csr", { kind: "clone" }],
  ])("with %s", (_what, generation, csrHash, decision) => {
    expect(decideReEntry({ node: known, generation, csrHash })).toMatchObject(decision);
  });

  it.each(["removed", "banned", "suspended", "left"] as const)("is refused when %s", (state) => {
    expect(decideReEntry({ node: { ...known, state }, generation: 5, csrHash: "new" })).toEqual({
      kind: "refuse",
      sentence: `the node web1 is ${state}`,
    });
  });

  it("finds out a copy: of two machines that start from one disk, one is let in and the other suspends both", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (generation) => {
        const before = { ...known, enrolmentGeneration: generation };
        const first = decideReEntry({ node: before, generation, csrHash: "a" });
        expect(first).toEqual({ kind: "mint", generation: generation + 1 });
        const after = {
          ...before,
          enrolmentGeneration: generation + 1,
          reEntry: { ...given, csrHash: "a" },
        };
        expect(decideReEntry({ node: after, generation, csrHash: "b" }).kind).toBe("clone");
      }),
    );
  });
});
