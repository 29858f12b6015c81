import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import "reflect-metadata";
import { describe, expect, it } from "@jest/globals";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import fc from "fast-check";
import { extension, sequence } from "../../../../test/support/test-ca.ts";
import { isWeftError } from "../errors/weft-error.ts";
import { makeCsr, makePrivateKey, readCsr } from "./csr.ts";
import { contextTag, encode, encodeOid, tags } from "./der.ts";
import { oids } from "./oids.ts";

const id = "spiffe://mesh.internal/weft/node/api1";

interface Wish {
  readonly subject?: Uint8Array;
  readonly names?: readonly Uint8Array[];
  readonly extensions?: readonly Uint8Array[];
  readonly attributes?: readonly Uint8Array[];
  readonly curve?: string;
  readonly signedByOther?: boolean;
  readonly algorithm?: string;
}

const uriName = (uri: string) => encode(contextTag(6, false), Buffer.from(uri));
const dnsName = (name: string) => encode(contextTag(2, false), Buffer.from(name));
const extensionRequest = (...extensions: readonly Uint8Array[]) =>
  sequence(encodeOid(oids.extensionRequest), encode(tags.set, sequence(...extensions)));

/** A request with faults, which makeCsr does not make. */
function forge(wish: Wish): Uint8Array {
  const keys = generateKeyPairSync("ec", { namedCurve: wish.curve ?? "prime256v1" });
  const signer = wish.signedByOther === true ? generateKeyPairSync("ec", { namedCurve: "prime256v1" }) : keys;
  const san = extension(oids.subjectAltName, true, sequence(...(wish.names ?? [uriName(id)])));
  const info = sequence(
    encode(tags.integer, Uint8Array.of(0)),
    wish.subject ?? sequence(),
    keys.publicKey.export({ type: "spki", format: "der" }),
    encode(
      contextTag(0, true),
      extensionRequest(san, ...(wish.extensions ?? [])),
      ...(wish.attributes ?? []),
    ),
  );
  const signature = encode(tags.bitString, Uint8Array.of(0), sign("sha256", info, signer.privateKey));
  return sequence(info, sequence(encodeOid(wish.algorithm ?? oids.ecdsaWithSha256)), signature);
}

describe("makeCsr", () => {
  it("asks for exactly one URI name with a key it possesses", () => {
    const { csrDer, privateKeyPkcs8Pem } = makeCsr(id);
    const request = readCsr(csrDer);
    expect(request).toMatchObject({ uriSans: [id], otherSansOrExtensions: false, proofOk: true });
    const publicKey = createPublicKey(privateKeyPkcs8Pem).export({ type: "spki", format: "der" });
    expect(Buffer.from(request.publicKeyDer)).toEqual(publicKey);
  });

  it("makes a fresh key each time, or keeps the one it is given", () => {
    expect(makeCsr(id).privateKeyPkcs8Pem).not.toBe(makeCsr(id).privateKeyPkcs8Pem);
    const key = makePrivateKey();
    expect(makeCsr(id, key).privateKeyPkcs8Pem).toBe(key);
    expect(readCsr(makeCsr(id, key).csrDer).publicKeyDer).toEqual(
      readCsr(makeCsr(id, key).csrDer).publicKeyDer,
    );
  });

  it("is understood, and its proof verified, by another implementation", async () => {
    const theirs = new Pkcs10CertificateRequest(Buffer.from(makeCsr(id).csrDer));
    expect(await theirs.verify()).toBe(true);
    expect(theirs.subject).toBe("");
    expect(theirs.extensions.map((entry) => [entry.type, entry.critical])).toEqual([
      [oids.subjectAltName, true],
    ]);
    expect(Buffer.from(theirs.extensions[0]!.value).includes(id)).toBe(true);
  });

  it("refuses an ID that is none", () => {
    expect(() => makeCsr("spiffe://Mesh/api")).toThrow(expect.objectContaining({ code: "WEFT-E205" }));
  });
});

describe("readCsr", () => {
  it("finds nothing to object to in the plain form", () => {
    expect(readCsr(forge({}))).toMatchObject({ uriSans: [id], otherSansOrExtensions: false, proofOk: true });
  });

  it("lists every URI name", () => {
    const names = [uriName(id), uriName("spiffe://mesh.internal/weft/coordinator")];
    expect(readCsr(forge({ names })).uriSans).toEqual([id, "spiffe://mesh.internal/weft/coordinator"]);
  });

  it.each<[string, Wish]>([
    ["a DNS name", { names: [uriName(id), dnsName("api")] }],
    ["a subject", { subject: sequence(encode(tags.set, sequence(encodeOid("2.5.4.3")))) }],
    ["a CA extension", { extensions: [extension(oids.basicConstraints, true, sequence())] }],
    ["an unknown extension", { extensions: [extension("1.2.3", false, sequence())] }],
    ["a second extension request", { attributes: [extensionRequest()] }],
    ["a password attribute", { attributes: [sequence(encodeOid("1.2.840.113549.1.9.7"), encode(tags.set))] }],
  ])("notices %s", (_, wish) => {
    expect(readCsr(forge(wish))).toMatchObject({ otherSansOrExtensions: true, proofOk: true });
  });

  it.each<[string, Wish]>([
    ["signed by another key", { signedByOther: true }],
    ["for a key on another curve", { curve: "secp384r1" }],
    ["signed with another algorithm", { algorithm: "1.2.840.10045.4.3.3" }],
  ])("takes a request %s as no proof", (_, wish) => {
    expect(readCsr(forge(wish)).proofOk).toBe(false);
  });

  it("answers any change of one byte with WEFT-E206 or no proof", () => {
    const { csrDer } = makeCsr(id);
    fc.assert(
      fc.property(fc.nat(csrDer.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Uint8Array.from(csrDer);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        try {
          expect(readCsr(damaged).proofOk).toBe(false);
        } catch (error) {
          if (!isWeftError(error) || error.code !== "WEFT-E206") throw error;
        }
      }),
      { numRuns: 1500 },
    );
  });
});
