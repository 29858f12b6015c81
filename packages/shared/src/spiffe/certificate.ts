// In: certificates as DER or PEM. Out: their fields as SPIFFE validation needs them, or WEFT-E205. Pure.
// An own reader because Node gives subject alternative names only as one joined string, and neither key usage
// nor critical marks; and because the agent has no room for an X.509 library.
import { WeftError } from "../errors/weft-error.ts";
import {
  contextTag,
  DerError,
  decoding,
  expectTag,
  readElement,
  readElements,
  readOid,
  readSmallInteger,
  readTime,
  tags,
} from "./der.ts";
import { type Extensions, readExtensions } from "./extensions.ts";

export interface Certificate extends Extensions {
  readonly der: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Hex, as it stands in the certificate. */
  readonly serial: string;
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array;
  /** Object identifier. */
  readonly signatureAlgorithm: string;
}

function malformed(reason: string, cause?: unknown): WeftError {
  return new WeftError("WEFT-E205", "the certificate is malformed", {
    why: `In its DER form ${reason}.`,
    cause,
  });
}

function readCertificateFields(der: Uint8Array): Certificate {
  const [body, outerAlgorithm, signature, surplus] = readElements(readElement(der, tags.sequence).content);
  if (surplus !== undefined) throw new DerError("data follows the signature");
  expectTag(signature, tags.bitString);
  const fields = readElements(expectTag(body, tags.sequence).content);

  // Version 1 has no version field and no extensions, hence no SPIFFE ID: only version 3 (written 2) will do.
  const version = expectTag(fields.shift(), contextTag(0, true));
  if (readSmallInteger(readElement(version.content, tags.integer)) !== 2)
    throw new DerError("the version is not 3");
  const serial = expectTag(fields.shift(), tags.integer);
  const innerAlgorithm = expectTag(fields.shift(), tags.sequence);
  const issuer = expectTag(fields.shift(), tags.sequence);
  const validity = readElements(expectTag(fields.shift(), tags.sequence).content);
  const subject = expectTag(fields.shift(), tags.sequence);
  const publicKey = expectTag(fields.shift(), tags.sequence);
  // Unique identifiers [1] and [2] are obsolete and carry nothing that is used.
  const extensions = fields.find((field) => field.tag === contextTag(3, true));

  const algorithm = expectTag(outerAlgorithm, tags.sequence);
  if (!Buffer.from(algorithm.raw).equals(innerAlgorithm.raw))
    throw new DerError("the two signature algorithms differ");
  const algorithmName = readElements(algorithm.content)[0];
  return {
    ...readExtensions(
      extensions === undefined ? new Uint8Array() : readElement(extensions.content, tags.sequence).content,
    ),
    der,
    notBefore: readTime(validity[0]),
    notAfter: readTime(validity[1]),
    serial: Buffer.from(serial.content).toString("hex"),
    issuerDer: issuer.raw,
    subjectDer: subject.raw,
    publicKeyDer: publicKey.raw,
    signatureAlgorithm: readOid(expectTag(algorithmName, tags.oid)),
  };
}

export function readCertificate(der: Uint8Array): Certificate {
  return decoding(() => readCertificateFields(der), malformed);
}

/** The certificates of a Workload API field: DER, one directly behind the other. */
export function splitDerCertificates(concatenated: Uint8Array): Uint8Array[] {
  return decoding(
    () => readElements(concatenated).map((element) => expectTag(element, tags.sequence).raw),
    malformed,
  );
}

export function derToPem(der: Uint8Array, label = "CERTIFICATE"): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** All blocks with the label, in their order; text between blocks is skipped, a damaged block is an error. */
export function pemToDers(pem: string, label = "CERTIFICATE"): Uint8Array[] {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const ders: Uint8Array[] = [];
  for (let start = pem.indexOf(begin); start !== -1; ) {
    const stop = pem.indexOf(end, start);
    const text = pem.slice(start + begin.length, stop).replaceAll(/\s/g, "");
    if (stop === -1 || text === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0)
      throw new WeftError("WEFT-E205", `the PEM block ${ders.length + 1} is damaged`);
    ders.push(new Uint8Array(Buffer.from(text, "base64")));
    start = pem.indexOf(begin, stop);
  }
  return ders;
}
