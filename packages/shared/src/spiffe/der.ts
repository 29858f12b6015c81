// In: DER bytes, or values to encode. Out: elements of the tree, or bytes. Strict where BER is lax: definite,
// shortest lengths only, one-byte tags only, nothing after the end. Pure.
// Errors are plain DerError; callers turn them into an error that says what the bytes should have been.

export class DerError extends Error {
  override readonly name = "DerError";
}

export interface DerElement {
  /** Identifier octet: class, constructed bit and number. */
  readonly tag: number;
  readonly content: Uint8Array;
  /** Header and content: what a signature covers. */
  readonly raw: Uint8Array;
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific tag [n], constructed or primitive. */
export function contextTag(number: number, constructed: boolean): number {
  return 0x80 | (constructed ? 0x20 : 0) | number;
}

function readLength(bytes: Uint8Array, offset: number): { length: number; headerEnd: number } {
  const first = bytes[offset];
  if (first === undefined) throw new DerError("the data ends inside a header");
  if (first < 0x80) return { length: first, headerEnd: offset + 1 };
  const count = first & 0x7f;
  // Four length bytes are 4 GiB; 0 would be BER's indefinite form.
  if (count === 0 || count > 4) throw new DerError("a length is not in DER form");
  let length = 0;
  for (let i = 1; i <= count; i += 1) {
    const next = bytes[offset + i];
    if (next === undefined) throw new DerError("the data ends inside a header");
    length = length * 256 + next;
  }
  const shortest = length >= 0x80 && length >= 256 ** (count - 1);
  if (!shortest) throw new DerError("a length is not in its shortest form");
  return { length, headerEnd: offset + 1 + count };
}

/** The element that starts at offset; more data may follow it. */
export function readElementAt(bytes: Uint8Array, offset: number): DerElement {
  const tag = bytes[offset];
  if (tag === undefined) throw new DerError("the data ends where an element should start");
  if ((tag & 0x1f) === 0x1f) throw new DerError("a tag number is larger than X.509 uses");
  const { length, headerEnd } = readLength(bytes, offset + 1);
  const end = headerEnd + length;
  if (end > bytes.length) throw new DerError("the data ends inside an element");
  return { tag, content: bytes.subarray(headerEnd, end), raw: bytes.subarray(offset, end) };
}

/** The one element that fills bytes entirely. */
export function readElement(bytes: Uint8Array, tag: number): DerElement {
  const element = readElementAt(bytes, 0);
  if (element.raw.length !== bytes.length) throw new DerError("data follows the end of an element");
  return expectTag(element, tag);
}

/** All elements that follow one another in bytes. */
export function readElements(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const element = readElementAt(bytes, offset);
    elements.push(element);
    offset += element.raw.length;
  }
  return elements;
}

export function expectTag(element: DerElement | undefined, tag: number): DerElement {
  if (element === undefined) throw new DerError("an element is missing");
  if (element.tag !== tag)
    throw new DerError(`found tag 0x${element.tag.toString(16)} instead of 0x${tag.toString(16)}`);
  return element;
}

export function readBoolean(element: DerElement): boolean {
  const value = expectTag(element, tags.boolean).content;
  // DER allows exactly two encodings.
  if (value.length !== 1 || (value[0] !== 0 && value[0] !== 0xff))
    throw new DerError("a boolean is malformed");
  return value[0] === 0xff;
}

/** A non-negative integer that fits a number exactly (path lengths, versions). */
export function readSmallInteger(element: DerElement): number {
  const value = expectTag(element, tags.integer).content;
  const first = value[0];
  if (first === undefined || first > 0x7f || value.length > 6)
    throw new DerError("an integer is out of range");
  if (value.length > 1 && first === 0 && (value[1] ?? 0) < 0x80)
    throw new DerError("an integer is malformed");
  return value.reduce((sum, byte) => sum * 256 + byte, 0);
}

export function readOid(element: DerElement): string {
  const value = expectTag(element, tags.oid).content;
  const last = value.at(-1);
  if (last === undefined || last >= 0x80) throw new DerError("an object identifier is malformed");
  const arcs: number[] = [];
  let arc = 0;
  let fresh = true;
  for (const byte of value) {
    if ((fresh && byte === 0x80) || arc > 2 ** 40) throw new DerError("an object identifier is malformed");
    arc = arc * 128 + (byte & 0x7f);
    fresh = byte < 0x80;
    if (!fresh) continue;
    if (arcs.length === 0)
      arcs.push(Math.min(Math.trunc(arc / 40), 2), arc - Math.min(Math.trunc(arc / 40), 2) * 40);
    else arcs.push(arc);
    arc = 0;
  }
  return arcs.join(".");
}

/** The bits of a BIT STRING, first bit first. */
export function readBits(element: DerElement): boolean[] {
  const [unused, ...bytes] = expectTag(element, tags.bitString).content;
  if (unused === undefined || unused > 7 || (bytes.length === 0 && unused !== 0))
    throw new DerError("a bit string is malformed");
  const bits = bytes.flatMap((byte) => Array.from({ length: 8 }, (_, i) => (byte & (0x80 >> i)) !== 0));
  return bits.slice(0, bits.length - unused);
}

/** UTCTime or GeneralizedTime in the one form RFC 5280 allows: seconds, and Z. */
export function readTime(element: DerElement | undefined): Date {
  if (element === undefined) throw new DerError("an element is missing");
  const text = Buffer.from(element.content).toString("latin1");
  const generalized = element.tag === tags.generalizedTime;
  if (!generalized) expectTag(element, tags.utcTime);
  const match = (
    generalized ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
  ).exec(text);
  if (match === null) throw new DerError("a time is malformed");
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const fullYear = generalized ? year : year < 50 ? 2000 + year : 1900 + year;
  const time = new Date(0);
  time.setUTCFullYear(fullYear, month - 1, day);
  time.setUTCHours(hour, minute, second, 0);
  // A day or hour that does not exist has rolled over into the next.
  if (time.getUTCMonth() !== month - 1 || time.getUTCDate() !== day || time.getUTCSeconds() !== second)
    throw new DerError("a time does not exist");
  return time;
}

export function encode(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  const header = [tag];
  if (length < 0x80) header.push(length);
  else {
    const digits: number[] = [];
    for (let rest = length; rest > 0; rest = Math.trunc(rest / 256)) digits.unshift(rest % 256);
    header.push(0x80 | digits.length, ...digits);
  }
  return new Uint8Array(Buffer.concat([Uint8Array.from(header), ...contents]));
}

export function encodeOid(oid: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = oid.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc % 128];
    for (let left = Math.trunc(arc / 128); left > 0; left = Math.trunc(left / 128))
      digits.unshift((left % 128) | 0x80);
    return digits;
  });
  return encode(tags.oid, Uint8Array.from(bytes));
}

/** Runs a decoder; a DerError becomes the error made from its reason, anything else passes through. */
export function decoding<T>(decode: () => T, errorFrom: (reason: string, cause: unknown) => Error): T {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof DerError) throw errorFrom(cause.message, cause);
    throw cause;
  }
}
