import { beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { FakeSpire } from "../../../../test/support/fake-spire.ts";
import { makeLeaf } from "../../../../test/support/test-ca.ts";
import { identityStep, OwnIdentity, type OwnSvid, readOwnSvid } from "./own-identity.ts";

const minute = 60_000;
const start = Date.parse("2026-03-01T10:00:00Z");
const at = (minutes: number) => new Date(start + minutes * minute);
const svid = (from: number, to: number) => ({ notBefore: at(from), notAfter: at(to) });

describe("the coordinator's own SVID", () => {
  it.each([
    ["is minted when there is none", undefined, undefined, 0, { present: "current", mint: true }],
    [
      "is minted when the one there has expired",
      svid(-60, 0),
      undefined,
      0,
      { present: "current", mint: true },
    ],
    ["is left alone in its first half", svid(0, 60), undefined, 29, { present: "current", mint: false }],
    ["gets a successor at half of its life", svid(0, 60), undefined, 30, { present: "current", mint: true }],
    [
      "stays while its successor is young",
      svid(0, 60),
      svid(30, 90),
      34,
      { present: "current", mint: false },
    ],
    [
      "gives way when its successor is 5 minutes old",
      svid(0, 60),
      svid(30, 90),
      35,
      { present: "candidate", mint: false },
    ],
    [
      "gives way to a young one when it is about to end",
      svid(0, 60),
      svid(54, 114),
      55,
      { present: "candidate", mint: false },
    ],
    [
      "gives way to a young one when it has ended",
      svid(0, 60),
      svid(61, 121),
      62,
      { present: "candidate", mint: false },
    ],
    [
      "is presented young when there is no other",
      undefined,
      svid(0, 60),
      0,
      { present: "candidate", mint: false },
    ],
  ] as const)("%s", (_what, current, candidate, now, step) => {
    expect(identityStep(current, candidate, at(now))).toEqual(step);
  });

  it("is always valid, and 5 minutes old after the first, whenever somebody looks", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 200 }), (gaps) => {
        let now = 0;
        let current: ReturnType<typeof svid> | undefined;
        let candidate: ReturnType<typeof svid> | undefined;
        let first = true;
        for (const gap of gaps) {
          now += gap;
          if (identityStep(current, candidate, at(now)).mint) candidate = svid(now, now + 60);
          if (candidate !== undefined && identityStep(current, candidate, at(now)).present === "candidate") {
            if (!first)
              expect(now - (candidate.notBefore.getTime() - start) / minute).toBeGreaterThanOrEqual(5);
            first = false;
            current = candidate;
            candidate = undefined;
          }
          expect(current!.notAfter.getTime()).toBeGreaterThan(at(now).getTime());
        }
      }),
    );
  });
});

describe("tending it", () => {
  let spire: FakeSpire;
  const quiet = { info() {}, warn() {}, error() {} };
  beforeAll(() => {
    spire = new FakeSpire();
  });
  const make = (file: { text: string | undefined }, now: () => Date, presented: OwnSvid[]) =>
    new OwnIdentity({
      spire,
      trustDomain: "mesh.internal",
      ttlSeconds: 3600,
      now,
      log: quiet,
      present: (one) => presented.push(one),
      file: {
        read: async () => file.text,
        write: async (text) => {
          file.text = text;
        },
      },
    });

  it("starts from the kept one, mints on a fresh key at half life, and presents it later", async () => {
    const file: { text: string | undefined } = { text: undefined };
    let skew = 0;
    const now = () => new Date(Date.now() + skew);
    const presented: OwnSvid[] = [];
    const first = make(file, now, presented);
    await first.tend();
    await first.keep();
    expect(presented).toHaveLength(1);
    expect(readOwnSvid(file.text!, "mesh.internal")).toEqual(presented[0]);

    spire.away = true;
    const again = make(file, now, presented);
    await again.tend();
    expect(presented[1]).toEqual(presented[0]);
    skew = 31 * minute;
    await expect(again.tend()).rejects.toMatchObject({ code: "WEFT-E501" });
    expect(presented).toHaveLength(2);
    spire.away = false;
    await again.tend();
    await again.keep();
    // The stand-in dates by the real clock, so that the successor counts as 31 minutes old at once.
    expect(presented).toHaveLength(3);
    expect(presented[2]?.keyPem).not.toBe(presented[0]?.keyPem);
    expect(readOwnSvid(file.text!, "mesh.internal")).toEqual(presented[2]);
  });

  it("tries the file again until it is written, whatever SPIRE does", async () => {
    const file: { text: string | undefined } = { text: undefined };
    let full = true;
    const identity = new OwnIdentity({
      spire,
      trustDomain: "mesh.internal",
      ttlSeconds: 3600,
      now: () => new Date(),
      log: quiet,
      present: () => {},
      file: {
        read: async () => undefined,
        write: async (text) => {
          if (full) throw new Error("no space");
          file.text = text;
        },
      },
    });
    await identity.tend();
    await expect(identity.keep()).rejects.toThrow("no space");
    await expect(identity.keep()).rejects.toThrow("no space");
    full = false;
    await identity.keep();
    expect(file.text).toContain("PRIVATE KEY");
  });

  it.each([
    ["nothing", () => ""],
    ["a key of another certificate", (text: string) => text.replace(/-----BEGIN PRIVATE[\s\S]*/, otherKey())],
    ["half of a file", (text: string) => text.slice(0, text.length - 60)],
    ["the certificate of somebody else", () => someoneElse(spire)],
  ])("takes %s for no SVID", async (_what, spoil) => {
    const file: { text: string | undefined } = { text: undefined };
    const identity = make(file, () => new Date(), []);
    await identity.tend();
    await identity.keep();
    expect(readOwnSvid(spoil(file.text!), "mesh.internal")).toBeUndefined();
  });
});

function otherKey(): string {
  return makeLeaf(new FakeSpire().root, "spiffe://mesh.internal/weft/coordinator").keyPem;
}

function someoneElse(spire: FakeSpire): string {
  const leaf = makeLeaf(spire.root, "spiffe://mesh.internal/weft/node/web1");
  return leaf.pem + leaf.keyPem;
}
