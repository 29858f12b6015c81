// In: the extensions element of a certificate or certificate request. Out: the meanings that SPIFFE validation
// needs, and the names of critical ones not understood here. Throws DerError. Pure.
import {
  contextTag,
  type DerElement,
  DerError,
  expectTag,
  readBits,
  readBoolean,
  readElement,
  readElements,
  readOid,
  readSmallInteger,
  tags,
} from "./der.ts";
import { oids } from "./oids.ts";

export interface KeyUsage {
  readonly critical: boolean;
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}

/** Name constraints as far as they can be judged: URI hosts exactly, other kinds by their presence. */
export interface NameConstraints {
  readonly permittedUriHosts: readonly string[];
  readonly excludedUriHosts: readonly string[];
  readonly otherKinds: boolean;
}

export interface Extensions {
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** There are subject alternative names of other kinds (DNS, IP, ...). */
  readonly otherSans: boolean;
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  readonly keyUsage: KeyUsage | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  /** Hex, or undefined. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  /** Every extension present, by object identifier. */
  readonly present: readonly string[];
  /** Critical extensions that nothing here understands: RFC 5280 says to reject their certificate. */
  readonly unknownCritical: readonly string[];
}

interface RawExtension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

const uriName = contextTag(6, false);
const dnsName = contextTag(2, false);
/** The nine forms of RFC 5280's GeneralName, each with its one encoding: 1, 2, 6, 7, 8 are primitive. */
const nameTags: ReadonlySet<number> = new Set(
  Array.from({ length: 9 }, (_, number) => contextTag(number, ![1, 2, 6, 7, 8].includes(number))),
);

function readRaw(list: Uint8Array): Map<string, RawExtension> {
  const found = new Map<string, RawExtension>();
  for (const entry of readElements(list)) {
    const parts = readElements(expectTag(entry, tags.sequence).content);
    const critical = parts[1]?.tag === tags.boolean ? readBoolean(parts[1]) : false;
    const [name, value] = [parts[0], parts[parts.length - 1]];
    if (name === undefined || value === undefined || parts.length > 3)
      throw new DerError("an extension is malformed");
    const oid = readOid(name);
    if (found.has(oid)) throw new DerError(`the extension ${oid} is there twice`);
    found.set(oid, { critical, value: expectTag(value, tags.octetString).content });
  }
  return found;
}

function ia5(element: DerElement): string {
  if (element.content.some((byte) => byte > 0x7f)) throw new DerError("a name is not ASCII");
  return Buffer.from(element.content).toString("latin1");
}

function readNames(value: Uint8Array): { uriSans: string[]; dnsSans: string[]; otherSans: boolean } {
  const names = readElements(readElement(value, tags.sequence).content);
  if (names.length === 0) throw new DerError("the subject alternative name is empty");
  if (!names.every((name) => nameTags.has(name.tag))) throw new DerError("a name is of no known kind");
  const uris = names.filter((name) => name.tag === uriName);
  const dns = names.filter((name) => name.tag === dnsName);
  return { uriSans: uris.map(ia5), dnsSans: dns.map(ia5), otherSans: uris.length < names.length };
}

function readBasicConstraints(value: Uint8Array): { isCa: boolean; pathLength: number | undefined } {
  const parts = readElements(readElement(value, tags.sequence).content);
  const isCa = parts[0]?.tag === tags.boolean ? readBoolean(parts[0]) : false;
  const rest = parts[0]?.tag === tags.boolean ? parts.slice(1) : parts;
  if (rest.length > 1 || (rest.length === 1 && !isCa))
    throw new DerError("the basic constraints are malformed");
  return { isCa, pathLength: rest[0] === undefined ? undefined : readSmallInteger(rest[0]) };
}

function readKeyUsage({ critical, value }: RawExtension): KeyUsage {
  const bits = readBits(readElement(value, tags.bitString));
  const has = (bit: number) => bits[bit] === true;
  return { critical, digitalSignature: has(0), keyCertSign: has(5), crlSign: has(6) };
}

function readNameConstraints(value: Uint8Array): NameConstraints {
  const hosts: [string[], string[]] = [[], []];
  let otherKinds = false;
  for (const part of readElements(readElement(value, tags.sequence).content)) {
    const list = part.tag === contextTag(0, true) ? hosts[0] : hosts[1];
    if (list === hosts[1]) expectTag(part, contextTag(1, true));
    for (const subtree of readElements(part.content)) {
      const [base] = readElements(expectTag(subtree, tags.sequence).content);
      if (base === undefined) throw new DerError("a name constraint is malformed");
      if (base.tag === uriName) list.push(ia5(base));
      else otherKinds = true;
    }
  }
  return { permittedUriHosts: hosts[0], excludedUriHosts: hosts[1], otherKinds };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function readAuthorityKeyId(value: Uint8Array): string | undefined {
  const parts = readElements(readElement(value, tags.sequence).content);
  const keyId = parts.find((part) => part.tag === contextTag(0, false));
  return keyId === undefined ? undefined : hex(keyId.content);
}

// Policies carry a meaning only for those who ask for one; Weft does not, so a critical mark changes nothing.
const understood: ReadonlySet<string> = new Set([
  oids.subjectAltName,
  oids.basicConstraints,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.nameConstraints,
  oids.certificatePolicies,
  oids.subjectKeyIdentifier,
  oids.authorityKeyIdentifier,
]);

/** @param list the content of the SEQUENCE OF Extension; empty if there are none */
export function readExtensions(list: Uint8Array): Extensions {
  const raw = readRaw(list);
  const read = <T>(oid: string, decode: (extension: RawExtension) => T): T | undefined => {
    const extension = raw.get(oid);
    return extension === undefined ? undefined : decode(extension);
  };
  const names = read(oids.subjectAltName, ({ value }) => readNames(value));
  const basic = read(oids.basicConstraints, ({ value }) => readBasicConstraints(value));
  return {
    uriSans: names?.uriSans ?? [],
    dnsSans: names?.dnsSans ?? [],
    otherSans: names?.otherSans ?? false,
    isCa: basic?.isCa ?? false,
    pathLength: basic?.pathLength,
    keyUsage: read(oids.keyUsage, readKeyUsage),
    extendedKeyUsage: read(oids.extendedKeyUsage, ({ value }) =>
      readElements(readElement(value, tags.sequence).content).map(readOid),
    ),
    nameConstraints: read(oids.nameConstraints, ({ value }) => readNameConstraints(value)),
    subjectKeyId: read(oids.subjectKeyIdentifier, ({ value }) =>
      hex(readElement(value, tags.octetString).content),
    ),
    authorityKeyId: read(oids.authorityKeyIdentifier, ({ value }) => readAuthorityKeyId(value)),
    present: [...raw.keys()],
    unknownCritical: [...raw]
      .filter(([oid, { critical }]) => critical && !understood.has(oid))
      .map(([oid]) => oid),
  };
}
