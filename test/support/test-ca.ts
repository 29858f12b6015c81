// In: what a certificate should say, faults included. Out: roots, intermediates and leaves signed by them, for tests.
// Anything can be built that DER can express; what is valid is the tested code's business.
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { derToPem } from "../../packages/shared/src/spiffe/certificate.ts";
import { contextTag, encode, encodeOid, tags } from "../../packages/shared/src/spiffe/der.ts";
import { oids } from "../../packages/shared/src/spiffe/oids.ts";

export const keyUsageBits = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, crlSign: 6 } as const;
type KeyUsageName = keyof typeof keyUsageBits;

export interface CertificateWish {
  readonly subject: string;
  readonly commonName?: string;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly isCa?: boolean;
  readonly pathLength?: number;
  /** null: no such extension. */
  readonly keyUsage?: readonly KeyUsageName[] | null;
  readonly keyUsageCritical?: boolean;
  readonly extendedKeyUsage?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Ready-made extensions, see `extension`. */
  readonly extensions?: readonly Uint8Array[];
  readonly keys?: KeyPair;
  /** For a weak or wrong signature. */
  readonly signatureAlgorithm?: { readonly oid: string; readonly hash: string };
  readonly damageSignature?: boolean;
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface Issued {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly keys: KeyPair;
  readonly keyPem: string;
  readonly subject: string;
}

let lastSerial = 1000;

export function makeKeys(kind: "ec" | "rsa" = "ec"): KeyPair {
  return kind === "ec"
    ? generateKeyPairSync("ec", { namedCurve: "prime256v1" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
}

export function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [encode(tags.boolean, Uint8Array.of(0xff))] : [];
  return encode(tags.sequence, encodeOid(oid), ...flag, encode(tags.octetString, value));
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(tags.sequence, ...parts);
}

// Up to 0x7fff.
const integer = (value: number) =>
  encode(tags.integer, Uint8Array.from(value < 0x80 ? [value] : [value >> 8, value & 0xff]));
const bitString = (bytes: Uint8Array, unused = 0) => encode(tags.bitString, Uint8Array.of(unused), bytes);
const ascii = (text: string) => Buffer.from(text, "latin1");

function nameOf(subject: string, commonName = ""): Uint8Array {
  const parts = [
    { oid: oids.organizationName, text: subject },
    { oid: "2.5.4.3", text: commonName },
  ].filter(({ text }) => text !== "");
  const attributes = parts.map(({ oid, text }) =>
    sequence(encodeOid(oid), encode(tags.utf8String, Buffer.from(text))),
  );
  return sequence(...attributes.map((attribute) => encode(tags.set, attribute)));
}

function timeOf(time: Date): Uint8Array {
  const text = time.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  const year = time.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? encode(tags.utcTime, ascii(text.slice(2)))
    : encode(tags.generalizedTime, ascii(text));
}

function keyUsageValue(names: readonly KeyUsageName[]): Uint8Array {
  const byte = names.reduce((sum, name) => sum | (0x80 >> keyUsageBits[name]), 0);
  if (byte === 0) return bitString(new Uint8Array());
  let unused = 0;
  while ((byte & (1 << unused)) === 0) unused += 1;
  return bitString(Uint8Array.of(byte), unused);
}

const keyIdOf = (keys: KeyPair) =>
  createHash("sha1")
    .update(keys.publicKey.export({ type: "spki", format: "der" }))
    .digest();

function extensionsOf(wish: CertificateWish, keys: KeyPair, issuerKeys: KeyPair): Uint8Array[] {
  const list: Uint8Array[] = [];
  const names = [
    ...(wish.dnsNames ?? []).map((name) => encode(contextTag(2, false), ascii(name))),
    ...(wish.uris ?? []).map((uri) => encode(contextTag(6, false), Buffer.from(uri))),
  ];
  if (names.length > 0) list.push(extension(oids.subjectAltName, wish.subject === "", sequence(...names)));
  if (wish.isCa !== undefined) {
    const flag = wish.isCa ? [encode(tags.boolean, Uint8Array.of(0xff))] : [];
    const length = wish.pathLength === undefined ? [] : [integer(wish.pathLength)];
    list.push(extension(oids.basicConstraints, true, sequence(...flag, ...length)));
  }
  if (wish.keyUsage !== null) {
    const value = keyUsageValue(
      wish.keyUsage ?? (wish.isCa ? ["keyCertSign", "crlSign"] : ["digitalSignature"]),
    );
    list.push(extension(oids.keyUsage, wish.keyUsageCritical ?? true, value));
  }
  if (wish.extendedKeyUsage !== undefined)
    list.push(extension(oids.extendedKeyUsage, false, sequence(...wish.extendedKeyUsage.map(encodeOid))));
  list.push(extension(oids.subjectKeyIdentifier, false, encode(tags.octetString, keyIdOf(keys))));
  const authority = sequence(encode(contextTag(0, false), keyIdOf(issuerKeys)));
  list.push(extension(oids.authorityKeyIdentifier, false, authority), ...(wish.extensions ?? []));
  return list;
}

/** A certificate by issuer, or self-signed without one. */
export function issue(wish: CertificateWish, issuer?: Issued): Issued {
  const keys = wish.keys ?? makeKeys();
  const signer = issuer?.keys ?? keys;
  const rsa = signer.privateKey.asymmetricKeyType === "rsa";
  const chosen = wish.signatureAlgorithm ?? {
    oid: rsa ? "1.2.840.113549.1.1.11" : oids.ecdsaWithSha256,
    hash: "sha256",
  };
  const algorithm = sequence(encodeOid(chosen.oid), ...(rsa ? [encode(0x05)] : []));
  const now = Date.now();
  lastSerial += 1;
  const body = sequence(
    encode(contextTag(0, true), integer(2)),
    integer(lastSerial),
    algorithm,
    nameOf(issuer?.subject ?? wish.subject),
    sequence(
      timeOf(wish.notBefore ?? new Date(now - 60_000)),
      timeOf(wish.notAfter ?? new Date(now + 3_600_000)),
    ),
    nameOf(wish.subject, wish.commonName),
    keys.publicKey.export({ type: "spki", format: "der" }),
    encode(contextTag(3, true), sequence(...extensionsOf(wish, keys, signer))),
  );
  const signature = sign(chosen.hash, body, signer.privateKey);
  if (wish.damageSignature === true) signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
  const der = sequence(body, algorithm, bitString(signature));
  const keyPem = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { der, pem: derToPem(der), keys, keyPem, subject: wish.subject };
}

export function makeRoot(trustDomain = "mesh.internal", wish: Partial<CertificateWish> = {}): Issued {
  return issue({ subject: `root of ${trustDomain}`, uris: [`spiffe://${trustDomain}`], isCa: true, ...wish });
}

export function makeIntermediate(parent: Issued, wish: Partial<CertificateWish> = {}): Issued {
  return issue({ subject: `below ${parent.subject}`, isCa: true, ...wish }, parent);
}

export function makeLeaf(parent: Issued, spiffeId: string, wish: Partial<CertificateWish> = {}): Issued {
  const usual = { isCa: false, extendedKeyUsage: [oids.serverAuth, oids.clientAuth] };
  return issue({ subject: "SPIRE", uris: [spiffeId], ...usual, ...wish }, parent);
}
