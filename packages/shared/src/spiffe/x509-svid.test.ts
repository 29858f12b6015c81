import { describe, expect, it } from "@jest/globals";
import {
  type CertificateWish,
  extension,
  type Issued,
  issue,
  makeIntermediate,
  makeKeys,
  makeLeaf,
  makeRoot,
  sequence,
} from "../../../../test/support/test-ca.ts";
import { readCertificate } from "./certificate.ts";
import { contextTag, encode, tags } from "./der.ts";
import { oids } from "./oids.ts";
import { formatSpiffeId } from "./spiffe-id.ts";
import { checkLeaf, verifyX509Svid } from "./x509-svid.ts";

const id = "spiffe://mesh.internal/api";
const root = makeRoot();
const now = new Date();

function verify(chain: readonly Issued[], roots: readonly Issued[] = [root], at = now): string {
  const ders = (list: readonly Issued[]) => list.map((certificate) => certificate.der);
  return formatSpiffeId(verifyX509Svid(ders(chain), ders(roots), at));
}

function refusal(why: string | RegExp) {
  return expect.objectContaining({ code: "WEFT-E205", why: expect.stringMatching(why) });
}

const leafFaults: [string, Partial<CertificateWish>, string][] = [
  ["without a URI name", { uris: [], dnsNames: ["api.mesh.internal"] }, "no URI name"],
  ["with two URI names", { uris: [id, "spiffe://mesh.internal/web"] }, "more than one URI name"],
  ["with the same URI name twice", { uris: [id, id] }, "more than one URI name"],
  [
    "with a second URI name that is no SPIFFE ID",
    { uris: [id, "https://x.test/"] },
    "more than one URI name",
  ],
  ["with a URI name that is no SPIFFE ID", { uris: ["https://mesh.internal/api"] }, "does not start with"],
  ["with an empty URI name", { uris: [""] }, "does not start with"],
  ["with the ID of a trust domain", { uris: ["spiffe://mesh.internal"] }, "no path"],
  ["with a path of one slash", { uris: ["spiffe://mesh.internal/"] }, "ends with a slash"],
  ["with NUL in its ID", { uris: ["spiffe://mesh.internal/api\0.x"] }, "path segment consists"],
  ["with non-ASCII in its ID", { uris: ["spiffe://mesh.internal/äpi"] }, "not ASCII"],
  ["that is a CA", { isCa: true }, "is a CA certificate"],
  ["that may sign certificates", { keyUsage: ["digitalSignature", "keyCertSign"] }, "may sign certificates"],
  [
    "that may sign revocation lists",
    { keyUsage: ["digitalSignature", "crlSign"] },
    "may sign revocation lists",
  ],
  ["without digitalSignature", { keyUsage: ["keyEncipherment"] }, "may not make digital signatures"],
  ["with an empty key usage", { keyUsage: [] }, "may not make digital signatures"],
  ["without key usage", { keyUsage: null }, "no key usage"],
  ["whose key usage is not critical", { keyUsageCritical: false }, "not marked critical"],
  ["for servers only", { extendedKeyUsage: [oids.serverAuth] }, "lacks serverAuth or clientAuth"],
  ["for clients only", { extendedKeyUsage: [oids.clientAuth] }, "lacks serverAuth or clientAuth"],
  [
    "with an unknown critical extension",
    { extensions: [extension("1.2.3.4", true, sequence())] },
    "1\\.2\\.3\\.4",
  ],
  ["with an extension twice", { extensions: [extension(oids.keyUsage, true, sequence())] }, "there twice"],
  ["not yet valid", { notBefore: new Date(now.getTime() + 5000) }, "valid only from"],
  ["expired", { notAfter: new Date(now.getTime() - 5000) }, "expired at"],
  ["with a damaged signature", { damageSignature: true }, "No root"],
  [
    "signed with SHA-1",
    { signatureAlgorithm: { oid: "1.2.840.10045.4.1", hash: "sha1" } },
    "algorithm 1\\.2\\.840\\.10045\\.4\\.1, which is too weak",
  ],
];

describe("a leaf", () => {
  it("proves its ID", () => {
    expect(verify([makeLeaf(root, id)])).toBe(id);
  });

  it.each<[string, Partial<CertificateWish>]>([
    ["with DNS names beside", { dnsNames: ["api.mesh.internal"] }],
    ["without extended key usage", { extendedKeyUsage: [] as string[] }],
    ["with more key usages", { keyUsage: ["digitalSignature", "keyEncipherment"] }],
    ["with an empty subject", { subject: "" }],
    ["with an RSA key", { keys: makeKeys("rsa") }],
    [
      "with an unknown extension that is not critical",
      { extensions: [extension("1.2.3.4", false, sequence())] },
    ],
    ["valid beyond 2050", { notAfter: new Date("2061-01-01T00:00:00Z") }],
  ])("%s is accepted", (_, { extendedKeyUsage, ...wish }) => {
    const withoutUsage = { subject: "SPIRE", uris: [id], isCa: false, ...wish };
    expect(
      verify([extendedKeyUsage === undefined ? makeLeaf(root, id, wish) : issue(withoutUsage, root)]),
    ).toBe(id);
  });

  it.each(leafFaults)("%s is refused", (_, wish, why) => {
    expect(() => verify([makeLeaf(root, id, wish)])).toThrow(refusal(why));
  });

  it("is judged by checkLeaf without chain and dates", () => {
    const expired = makeLeaf(makeRoot("other"), id, { notAfter: new Date(0) });
    expect(checkLeaf(readCertificate(expired.der))).toEqual({ trustDomain: "mesh.internal", path: "/api" });
  });

  it("is valid at its first and last second, and not beyond", () => {
    const [from, until] = [new Date("2026-01-01T00:00:00Z"), new Date("2026-01-01T01:00:00Z")];
    const long = { notBefore: new Date("2025-01-01T00:00:00Z"), notAfter: new Date("2027-01-01T00:00:00Z") };
    const old = makeRoot("mesh.internal", long);
    const leaf = makeLeaf(old, id, { notBefore: from, notAfter: until });
    expect(verify([leaf], [old], from)).toBe(id);
    expect(verify([leaf], [old], until)).toBe(id);
    expect(() => verify([leaf], [old], new Date(from.getTime() - 1))).toThrow(
      refusal("valid only from 2026"),
    );
    expect(() => verify([leaf], [old], new Date(until.getTime() + 1))).toThrow(
      refusal("expired at 2026-01-01T01"),
    );
  });
});

function nameConstraints(permitted: readonly string[], excluded: readonly string[] = []): Uint8Array {
  const subtrees = (kind: number, hosts: readonly string[]) =>
    hosts.length === 0
      ? []
      : [
          encode(
            contextTag(kind, true),
            ...hosts.map((host) => sequence(encode(contextTag(6, false), Buffer.from(host)))),
          ),
        ];
  return extension(oids.nameConstraints, true, sequence(...subtrees(0, permitted), ...subtrees(1, excluded)));
}

const dnsConstraint = extension(
  oids.nameConstraints,
  true,
  sequence(encode(contextTag(0, true), sequence(encode(contextTag(2, false), Buffer.from("mesh.internal"))))),
);

describe("a chain", () => {
  it("leads through intermediates, in any order, and with a needless root in it", () => {
    const upper = makeIntermediate(root);
    const lower = makeIntermediate(upper);
    const leaf = makeLeaf(lower, id);
    expect(verify([leaf, lower, upper])).toBe(id);
    expect(verify([leaf, upper, lower])).toBe(id);
    expect(verify([leaf, lower, upper, root])).toBe(id);
    expect(() => verify([leaf, upper])).toThrow(refusal("No root"));
    expect(() => verify([leaf])).toThrow(refusal("No root"));
  });

  it("may end at an intermediate that is in the bundle", () => {
    const upper = makeIntermediate(root);
    expect(verify([makeLeaf(upper, id)], [upper])).toBe(id);
  });

  it("finds its root among several of one name, as while a CA is rotated", () => {
    const [old, fresh] = [makeRoot(), makeRoot()];
    expect(verify([makeLeaf(fresh, id)], [old, fresh])).toBe(id);
    expect(verify([makeLeaf(old, id)], [old, fresh])).toBe(id);
    expect(() => verify([makeLeaf(old, id)], [fresh])).toThrow(refusal("No root of spiffe://mesh.internal"));
  });

  it("takes the way that is valid where two intermediates have one name and key", () => {
    const expired = makeIntermediate(root, { notAfter: new Date(now.getTime() - 1000) });
    const valid = makeIntermediate(root, { keys: expired.keys });
    const leaf = makeLeaf(valid, id);
    expect(verify([leaf, expired, valid])).toBe(id);
    expect(() => verify([leaf, expired])).toThrow(refusal("expired at"));
  });

  it("is refused when there is nothing in it, or no root", () => {
    expect(() => verify([])).toThrow(refusal("no certificate"));
    expect(() => verify([makeLeaf(root, id)], [])).toThrow(refusal("No root"));
  });

  it("is refused when the leaf signs for itself, even if it is in the bundle", () => {
    const own = issue({ subject: "self", uris: [id], isCa: false });
    expect(() => verify([own], [own])).toThrow(refusal("not a CA certificate"));
  });

  it("is refused when a leaf has signed it", () => {
    const thief = makeLeaf(root, "spiffe://mesh.internal/mallory");
    expect(() => verify([makeLeaf(thief, id), thief])).toThrow(refusal("not a CA certificate"));
  });

  it.each<[string, Partial<CertificateWish>, string]>([
    ["is no CA", { isCa: false }, "not a CA certificate"],
    ["has no basic constraints and may not sign", { isCa: false, keyUsage: null }, "not a CA certificate"],
    ["lacks keyCertSign", { keyUsage: ["crlSign"] }, "may not sign certificates"],
    ["has no key usage", { keyUsage: null }, "may not sign certificates"],
    ["is expired", { notAfter: new Date(now.getTime() - 1000) }, "expired at"],
    ["is not valid yet", { notBefore: new Date(now.getTime() + 60_000) }, "valid only from"],
    ["has a SPIFFE ID with a path", { uris: ["spiffe://mesh.internal/ca"] }, "SPIFFE ID with a path"],
    [
      "has an unknown critical extension",
      { extensions: [extension("1.2.3.5", true, sequence())] },
      "1\\.2\\.3\\.5",
    ],
    [
      "may sign only for another trust domain",
      { extensions: [nameConstraints(["other.test"])] },
      "may not sign for",
    ],
    [
      "may sign only below the trust domain",
      { extensions: [nameConstraints([".mesh.internal"])] },
      "may not sign for",
    ],
    [
      "may not sign for the trust domain",
      { extensions: [nameConstraints([], ["mesh.internal"])] },
      "may not sign for",
    ],
  ])("is refused when its intermediate %s", (_, wish, why) => {
    const upper = makeIntermediate(root, wish);
    expect(() => verify([makeLeaf(upper, id), upper])).toThrow(refusal(why));
  });

  it("is refused when its root is expired or no CA", () => {
    const expired = makeRoot("mesh.internal", { notAfter: new Date(now.getTime() - 1000) });
    expect(() => verify([makeLeaf(expired, id)], [expired])).toThrow(refusal("expired at"));
    const powerless = makeRoot("mesh.internal", { keyUsage: ["digitalSignature"] });
    expect(() => verify([makeLeaf(powerless, id)], [powerless])).toThrow(
      refusal("may not sign certificates"),
    );
  });

  it("keeps to name constraints: those on URIs exactly, others only where they could matter", () => {
    const upper = makeIntermediate(root, { extensions: [nameConstraints(["mesh.internal"], ["evil.test"])] });
    expect(verify([makeLeaf(upper, id), upper])).toBe(id);
    const dns = makeIntermediate(root, { extensions: [dnsConstraint] });
    expect(verify([makeLeaf(dns, id), dns])).toBe(id);
    expect(() => verify([makeLeaf(dns, id, { dnsNames: ["evil.test"] }), dns])).toThrow(
      refusal("cannot be checked"),
    );
  });

  it("keeps to path lengths", () => {
    const short = makeIntermediate(root, { pathLength: 0 });
    expect(verify([makeLeaf(short, id), short])).toBe(id);
    const below = makeIntermediate(short);
    expect(() => verify([makeLeaf(below, id), below, short])).toThrow(
      refusal("longer than a signing certificate"),
    );
    const one = makeIntermediate(root, { pathLength: 1 });
    const two = makeIntermediate(one);
    expect(verify([makeLeaf(two, id), two, one])).toBe(id);
  });

  it("is refused when it is too long, and intermediates that sign each other in a ring end", () => {
    let signer = root;
    const chain: Issued[] = [];
    for (let i = 0; i < 8; i += 1) {
      signer = makeIntermediate(signer);
      chain.unshift(signer);
    }
    expect(() => verify([makeLeaf(signer, id), ...chain])).toThrow(refusal("more than 8"));
    const [a, b] = [makeKeys(), makeKeys()];
    const first = issue({ subject: "a", isCa: true, keys: a }, issue({ subject: "b", isCa: true, keys: b }));
    const second = issue({ subject: "b", isCa: true, keys: b }, first);
    expect(() => verify([makeLeaf(first, id), first, second])).toThrow(refusal("No root"));
  });

  it("is refused with bytes that are no certificate, anywhere in it", () => {
    const leaf = makeLeaf(root, id);
    for (const bytes of [new Uint8Array(), Uint8Array.of(0x30, 0x00), encode(tags.sequence, leaf.der)]) {
      expect(() => verifyX509Svid([bytes], [root.der], now)).toThrow(refusal("In its DER form"));
      expect(() => verifyX509Svid([leaf.der, bytes], [root.der], now)).toThrow(refusal("In its DER form"));
    }
  });
});
