// In: a SPIFFE ID, or the DER of a certificate request (PKCS#10). Out: a request with a fresh key, or what a request
// asks for and whether it proves possession of its key. One form only: ECDSA P-256 with SHA-256, no subject, exactly
// one URI name and nothing else. A node's key is made here and leaves the node only as its public half.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { WeftError } from "../errors/weft-error.ts";
import {
  contextTag,
  DerError,
  decoding,
  encode,
  encodeOid,
  expectTag,
  readElement,
  readElements,
  readOid,
  readSmallInteger,
  tags,
} from "./der.ts";
import { readExtensions } from "./extensions.ts";
import { oids } from "./oids.ts";
import { parseSpiffeId } from "./spiffe-id.ts";

const curve = "prime256v1";
const bitStringOf = (bytes: Uint8Array) => encode(tags.bitString, Uint8Array.of(0), bytes);
const emptyName = encode(tags.sequence);
const signatureAlgorithm = encode(tags.sequence, encodeOid(oids.ecdsaWithSha256));

/** A fresh key, as the PEM that makeCsr takes: for a request that must be repeatable with the same key. */
export function makePrivateKey(): string {
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: curve,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "der" },
  });
  return privateKey;
}

function sanExtension(uri: string): Uint8Array {
  const names = encode(tags.sequence, encode(contextTag(6, false), Buffer.from(uri, "latin1")));
  // Critical, as RFC 5280 wants it where the subject is empty.
  const critical = encode(tags.boolean, Uint8Array.of(0xff));
  return encode(tags.sequence, encodeOid(oids.subjectAltName), critical, encode(tags.octetString, names));
}

/** @param privateKeyPem PKCS#8 PEM of a P-256 key; a fresh one is made if it is left out */
export function makeCsr(
  spiffeId: string,
  privateKeyPem: string = makePrivateKey(),
): { csrDer: Uint8Array; privateKeyPkcs8Pem: string } {
  parseSpiffeId(spiffeId);
  const privateKey = createPrivateKey(privateKeyPem);
  const publicKeyDer = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const extensions = encode(tags.sequence, sanExtension(spiffeId));
  const request = encode(tags.sequence, encodeOid(oids.extensionRequest), encode(tags.set, extensions));
  const info = encode(
    tags.sequence,
    encode(tags.integer, Uint8Array.of(0)),
    emptyName,
    publicKeyDer,
    encode(contextTag(0, true), request),
  );
  const signature = sign("sha256", info, privateKey);
  const csrDer = encode(tags.sequence, info, signatureAlgorithm, bitStringOf(signature));
  return { csrDer, privateKeyPkcs8Pem: privateKeyPem };
}

export interface CertificateRequest {
  readonly uriSans: readonly string[];
  /** It asks for more than URI names: a subject, names of other kinds, extensions or attributes. */
  readonly otherSansOrExtensions: boolean;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array;
  /** It is signed by the key it holds, and that is a P-256 key. */
  readonly proofOk: boolean;
}

function proves(publicKeyDer: Uint8Array, info: Uint8Array, signature: Uint8Array): boolean {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(publicKeyDer), format: "der", type: "spki" });
  } catch {
    // Not a key at all: nothing is proved, which is the answer.
    return false;
  }
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== curve) return false;
  return verify("sha256", info, key, signature);
}

function readAttributes(attributes: Uint8Array): { uriSans: readonly string[]; others: boolean } {
  let uriSans: readonly string[] = [];
  let others = false;
  let seen = false;
  for (const attribute of readElements(attributes)) {
    const [name, values] = readElements(expectTag(attribute, tags.sequence).content);
    const isRequest = readOid(expectTag(name, tags.oid)) === oids.extensionRequest;
    if (!isRequest || seen) {
      others = true;
      continue;
    }
    seen = true;
    const list = readElement(expectTag(values, tags.set).content, tags.sequence);
    const extensions = readExtensions(list.content);
    uriSans = extensions.uriSans;
    others ||= extensions.otherSans || extensions.present.some((oid) => oid !== oids.subjectAltName);
  }
  return { uriSans, others };
}

function readCsrFields(der: Uint8Array): CertificateRequest {
  const [info, algorithm, signature, surplus] = readElements(readElement(der, tags.sequence).content);
  if (surplus !== undefined) throw new DerError("data follows the signature");
  const [version, subject, publicKey, attributes, more] = readElements(
    expectTag(info, tags.sequence).content,
  );
  if (readSmallInteger(expectTag(version, tags.integer)) !== 0) throw new DerError("the version is not 1");
  if (more !== undefined) throw new DerError("data follows the attributes");
  const asked = readAttributes(expectTag(attributes, contextTag(0, true)).content);
  const bits = expectTag(signature, tags.bitString).content;
  const publicKeyDer = expectTag(publicKey, tags.sequence).raw;
  const rightAlgorithm = Buffer.from(signatureAlgorithm).equals(expectTag(algorithm, tags.sequence).raw);
  return {
    uriSans: asked.uriSans,
    otherSansOrExtensions: asked.others || expectTag(subject, tags.sequence).content.length > 0,
    publicKeyDer,
    proofOk:
      rightAlgorithm &&
      bits[0] === 0 &&
      proves(publicKeyDer, expectTag(info, tags.sequence).raw, bits.subarray(1)),
  };
}

export function readCsr(der: Uint8Array): CertificateRequest {
  return decoding(
    () => readCsrFields(der),
    (reason, cause) =>
      new WeftError("WEFT-E206", "the certificate request is malformed", {
        why: `In its DER form ${reason}.`,
        cause,
      }),
  );
}
