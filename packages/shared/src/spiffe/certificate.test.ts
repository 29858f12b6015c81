import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { issue, makeIntermediate, makeKeys, makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import { isWeftError } from "../errors/weft-error.ts";
import { derToPem, pemToDers, readCertificate, splitDerCertificates } from "./certificate.ts";
import { oids } from "./oids.ts";

const id = "spiffe://mesh.internal/api";
const root = makeRoot();
const intermediate = makeIntermediate(root, { pathLength: 0, uris: ["spiffe://mesh.internal"] });
const leaf = makeLeaf(intermediate, id, { dnsNames: ["api.mesh.internal"] });

describe("readCertificate", () => {
  it("reads a leaf", () => {
    expect(readCertificate(leaf.der)).toMatchObject({
      uriSans: [id],
      otherSans: true,
      isCa: false,
      keyUsage: { critical: true, digitalSignature: true, keyCertSign: false, crlSign: false },
      extendedKeyUsage: [oids.serverAuth, oids.clientAuth],
      unknownCritical: [],
      signatureAlgorithm: oids.ecdsaWithSha256,
    });
  });

  it("reads a signing certificate", () => {
    expect(readCertificate(intermediate.der)).toMatchObject({
      uriSans: ["spiffe://mesh.internal"],
      otherSans: false,
      isCa: true,
      pathLength: 0,
      keyUsage: { critical: true, digitalSignature: false, keyCertSign: true, crlSign: true },
      extendedKeyUsage: undefined,
    });
  });

  it("agrees with OpenSSL about every field both know", () => {
    const others = [
      makeLeaf(root, id, { keys: makeKeys("rsa"), notAfter: new Date("2062-03-04T05:06:07Z") }),
    ];
    for (const { der } of [root, intermediate, leaf, ...others]) {
      const [ours, theirs] = [readCertificate(der), new X509Certificate(der)];
      expect(ours.serial).toBe(theirs.serialNumber.toLowerCase());
      expect(ours.notBefore).toEqual(theirs.validFromDate);
      expect(ours.notAfter).toEqual(theirs.validToDate);
      expect(ours.isCa).toBe(theirs.ca);
      expect(Buffer.from(ours.publicKeyDer)).toEqual(
        theirs.publicKey.export({ type: "spki", format: "der" }),
      );
      expect(ours.extendedKeyUsage).toEqual(theirs.keyUsage);
    }
  });

  it("links a certificate to its signer by key identifiers", () => {
    expect(readCertificate(leaf.der).authorityKeyId).toBe(readCertificate(intermediate.der).subjectKeyId);
    expect(readCertificate(leaf.der).subjectKeyId).not.toBe(readCertificate(leaf.der).authorityKeyId);
  });

  it("answers any damage to a certificate with WEFT-E205 or a reading, never with another error", () => {
    const position = fc.nat(leaf.der.length - 1);
    fc.assert(
      fc.property(position, fc.nat(255), fc.nat(leaf.der.length), (at, value, length) => {
        const damaged = Uint8Array.from(leaf.der);
        damaged[at] = value;
        for (const bytes of [damaged, damaged.subarray(0, length)]) {
          try {
            readCertificate(bytes);
          } catch (error) {
            if (!isWeftError(error) || error.code !== "WEFT-E205") throw error;
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("never reads what OpenSSL refuses to read, under damage to the length and tag bytes", () => {
    for (let at = 0; at < leaf.der.length; at += 1) {
      for (const change of [1, 0x20, 0x80]) {
        const damaged = Uint8Array.from(leaf.der);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        const [ours, theirs] = [uriSansByUs(damaged), uriSansByOpenSsl(damaged)];
        // Where both read it, both see the same names.
        if (ours !== undefined && theirs !== undefined)
          expect([at, change, ...ours]).toEqual([at, change, ...theirs]);
      }
    }
  });

  it("refuses what has no version 3, data behind its end, or lengths in BER form", () => {
    const long = Buffer.concat([leaf.der, Uint8Array.of(0)]);
    const indefinite = Buffer.concat([Uint8Array.of(0x30, 0x80), leaf.der.subarray(4), Uint8Array.of(0, 0)]);
    const padded = Buffer.concat([Uint8Array.of(0x30, 0x83, 0), leaf.der.subarray(2)]);
    const version2 = Buffer.from(leaf.der);
    version2.writeUInt8(1, version2.indexOf(Buffer.from("a003020102", "hex")) + 4);
    for (const bytes of [long, indefinite, padded, version2])
      expect(() => readCertificate(bytes)).toThrow(expect.objectContaining({ code: "WEFT-E205" }));
  });

  it("reads one extension list that is empty as no extensions at all", () => {
    const bare = readCertificate(issue({ subject: "bare", keyUsage: null }).der);
    expect(bare).toMatchObject({
      uriSans: [],
      isCa: false,
      keyUsage: undefined,
      extendedKeyUsage: undefined,
    });
  });
});

function uriSansByUs(der: Uint8Array): readonly string[] | undefined {
  try {
    return readCertificate(der).uriSans;
  } catch {
    return undefined;
  }
}

function uriSansByOpenSsl(der: Uint8Array): readonly string[] | undefined {
  try {
    const names = new X509Certificate(der).subjectAltName ?? "";
    // Quoted forms come only from names with unusual characters.
    if (names.includes('"')) return undefined;
    return names.split(", ").flatMap((name) => (name.startsWith("URI:") ? [name.slice(4)] : []));
  } catch {
    return undefined;
  }
}

describe("splitDerCertificates", () => {
  it("takes apart what was put together", () => {
    const list = [leaf.der, intermediate.der, root.der];
    expect(splitDerCertificates(Buffer.concat(list)).map((der) => Buffer.from(der).toString("hex"))).toEqual(
      list.map((der) => Buffer.from(der).toString("hex")),
    );
    expect(splitDerCertificates(new Uint8Array())).toEqual([]);
  });

  it("refuses a cut, a surplus and what is no sequence", () => {
    for (const bytes of [
      leaf.der.subarray(0, -1),
      Buffer.concat([leaf.der, Uint8Array.of(1)]),
      Uint8Array.of(2, 1, 1),
      Buffer.from(leaf.pem),
    ])
      expect(() => splitDerCertificates(bytes)).toThrow(expect.objectContaining({ code: "WEFT-E205" }));
  });
});

describe("PEM", () => {
  it("is the inverse of DER, whatever the bytes, and OpenSSL reads it", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 4 }), (ders) => {
        const pem = ders.map((der) => derToPem(der)).join("comment\n");
        expect(pemToDers(pem).map((der) => [...der])).toEqual(ders.map((der) => [...der]));
      }),
    );
    expect(new X509Certificate(derToPem(leaf.der)).raw).toEqual(Buffer.from(leaf.der));
  });

  it("reads other labels only when asked, and foreign line ends", () => {
    expect(pemToDers(leaf.keyPem + leaf.pem.replaceAll("\n", "\r\n")).map((der) => Buffer.from(der))).toEqual(
      [Buffer.from(leaf.der)],
    );
    expect(pemToDers(leaf.keyPem, "PRIVATE KEY")).toHaveLength(1);
    expect(pemToDers("no PEM at all")).toEqual([]);
  });

  it.each([
    ["-----BEGIN CERTIFICATE-----\nMAA=\n"],
    ["-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
    ["-----BEGIN CERTIFICATE-----\nM!A=\n-----END CERTIFICATE-----\n"],
    ["-----BEGIN CERTIFICATE-----\nMAA\n-----END CERTIFICATE-----\n"],
  ])("refuses the damaged block %j", (pem) => {
    expect(() => pemToDers(leaf.pem + pem)).toThrow(expect.objectContaining({ code: "WEFT-E205" }));
  });
});
