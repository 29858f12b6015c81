import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { auditEntries, diffEntries, type EntryDiff, isEmptyDiff } from "./reconcile-entries.ts";
import type { FoundEntry, RegistrationEntry } from "./spire-server.ts";

const plain = {
  admin: false,
  downstream: false,
  x509SvidTtlSeconds: 0,
  jwtSvidTtlSeconds: 0,
  dnsNames: [],
  federatesWith: [],
  storeSvid: false,
  hint: "",
  expiresAt: 0,
};

/** What a server that obeys would then have. */
function applyDiff(found: readonly FoundEntry[], diff: EntryDiff): FoundEntry[] {
  const replaced = new Set([...diff.delete, ...diff.update.map(({ id }) => id)]);
  return [
    ...found.filter(({ id }) => !replaced.has(id)),
    ...[...diff.update, ...diff.create].map((entry) => ({ ...plain, ...entry })),
  ];
}

const word = fc.constantFrom("a", "b", "c", "d");
const content = fc.record({
  spiffeId: word.map((name) => `spiffe://td.test/${name}`),
  parentId: word.map((name) => `spiffe://td.test/spire/agent/x509pop/${name}`),
  selectors: fc.uniqueArray(fc.record({ type: fc.constant("unix"), value: word }), {
    minLength: 1,
    selector: ({ value }) => value,
  }),
});
const keyed = <T>(prefix: string, value: fc.Arbitrary<T>) =>
  fc
    .dictionary(word, value)
    .map((map) => Object.entries(map).map(([key, item]) => ({ ...item, id: `${prefix}${key}` })));
const wantedEntries: fc.Arbitrary<RegistrationEntry[]> = keyed("weft.", content);
const extras = fc.record({
  ...Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, fc.constant(value)])),
  admin: fc.boolean(),
  x509SvidTtlSeconds: fc.constantFrom(0, 60),
});
const anyFound = fc
  .tuple(content, extras)
  .map(([fields, extra]) => ({ ...plain, ...extra, ...fields }) as Omit<FoundEntry, "id">);
const foundEntries = fc
  .tuple(keyed("weft.", anyFound), keyed("other-", anyFound))
  .map((both): FoundEntry[] => both.flat());

const essence = ({ id, spiffeId, parentId, selectors }: RegistrationEntry) => ({
  id,
  spiffeId,
  parentId,
  selectors: selectors.map(({ type, value }) => `${type}:${value}`).toSorted((a, b) => a.localeCompare(b)),
});
const sorted = <T extends { readonly id: string }>(list: readonly T[]) =>
  list.toSorted((a, b) => a.id.localeCompare(b.id));

describe("the difference of wanted and found entries", () => {
  it("leads to exactly what is wanted, foreign entries untouched, and then to nothing more", () => {
    fc.assert(
      fc.property(wantedEntries, foundEntries, (wanted, found) => {
        const after = applyDiff(found, diffEntries(wanted, found));
        const own = after.filter(({ id }) => id.startsWith("weft."));
        expect(sorted(own).map(essence)).toEqual(sorted(wanted).map(essence));
        expect(own.every((entry) => !entry.admin && entry.x509SvidTtlSeconds === 0)).toBe(true);
        const foreign = (list: readonly FoundEntry[]) => list.filter(({ id }) => id.startsWith("other-"));
        expect(foreign(after)).toEqual(foreign(found));
        expect(isEmptyDiff(diffEntries(wanted, after))).toBe(true);
      }),
    );
  });

  it("touches no entry that is as wanted", () => {
    fc.assert(
      fc.property(wantedEntries, (wanted) => {
        const found = wanted.map((entry) => ({
          ...plain,
          ...entry,
          selectors: entry.selectors.toReversed(),
        }));
        expect(isEmptyDiff(diffEntries(wanted, found))).toBe(true);
      }),
    );
  });

  it.each(["/weft/node/web1", "/weft", "/spire-exchange/api1", "/spire/server", "/spirea", ""])(
    "refuses the reserved ID %p",
    (path) => {
      const wanted = {
        id: "weft.x",
        spiffeId: `spiffe://td.test${path}`,
        parentId: "spiffe://td.test/spire/agent/x509pop/n",
        selectors: [{ type: "unix", value: "user:x" }],
      };
      expect(() => diffEntries([wanted], [])).toThrow(expect.objectContaining({ code: "WEFT-E203" }));
    },
  );

  it("allows names that only look like reserved ones", () => {
    const wanted = ["/wefty", "/a/weft/node/x", "/api/spire"].map((path, index) => ({
      id: `weft.${index}`,
      spiffeId: `spiffe://td.test${path}`,
      parentId: "spiffe://td.test/spire/agent/x509pop/n",
      selectors: [{ type: "unix", value: "user:x" }],
    }));
    expect(diffEntries(wanted, []).create).toHaveLength(3);
  });
});

describe("the audit of all entries", () => {
  const entry = (id: string, path: string, more: Partial<FoundEntry> = {}): FoundEntry => ({
    ...plain,
    id,
    spiffeId: `spiffe://td.test${path}`,
    parentId: "spiffe://td.test/p",
    selectors: [],
    ...more,
  });

  it("names entries of anybody that give a reserved ID or power over the server", () => {
    const alarms = auditEntries([
      entry("fine", "/web"),
      entry("node", "/spire-exchange/api1"),
      entry("coordinator", "/weft/coordinator"),
      entry("admin", "/ops", { admin: true }),
      entry("ca", "/ca", { downstream: true, admin: true }),
    ]);
    expect(alarms.map(({ id }) => id)).toEqual(["admin", "ca", "coordinator", "node"]);
    expect(alarms[1]?.why).toContain("; ");
  });

  it("does not stumble over a damaged ID", () => {
    expect(auditEntries([{ ...entry("odd", ""), spiffeId: "" }])).toHaveLength(1);
  });
});
