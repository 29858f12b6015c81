// In: a question; bytes from the network. Out: the bytes of a query; what an answer says (RFC 1035). Pure.
// Bytes from outside are hostile: every offset is checked and a compressed name can only point backwards.
import { WeftError } from "@weft/shared/errors/weft-error";
import { normaliseAddress } from "@weft/shared/model/address";

export type QueryType = "A" | "AAAA" | "NS" | "SOA" | "SRV";
type ResponseCode = "NOERROR" | "FORMERR" | "SERVFAIL" | "NXDOMAIN" | "NOTIMP" | "REFUSED" | "OTHER";

export interface DnsMessage {
  readonly id: number;
  readonly code: ResponseCode;
  readonly truncated: boolean;
  /** Of the first question, without a trailing dot; the root is "". */
  readonly question: { readonly name: string; readonly type: number } | undefined;
  /** Only the types this agent asks for; addresses in their one spelling, SRV as "PRIORITY WEIGHT PORT TARGET". */
  readonly answers: readonly { readonly name: string; readonly type: QueryType; readonly value: string }[];
}

export const typeNumbers: Readonly<Record<QueryType, number>> = { A: 1, NS: 2, SOA: 6, AAAA: 28, SRV: 33 };
const codes: readonly ResponseCode[] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
const internetClass = 1;
const headerBytes = 12;

/** Recursion desired; one question. `name` has no trailing dot; "" asks for the root. */
export function encodeQuery(id: number, name: string, type: QueryType): Uint8Array {
  const bytes: number[] = [id >> 8, id & 0xff, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
  for (const label of name === "" ? [] : name.split(".")) {
    const encoded = Buffer.from(label, "latin1");
    if (encoded.length === 0 || encoded.length > 63) throw malformed(`"${name}" is no domain name`);
    bytes.push(encoded.length, ...encoded);
  }
  bytes.push(0, 0, typeNumbers[type], 0, internetClass);
  return Uint8Array.from(bytes);
}

/** Throws WEFT-E003 for anything that is no well-formed response. */
export function decodeResponse(bytes: Uint8Array): DnsMessage {
  const reader = new Reader(bytes);
  const id = reader.uint16();
  const flags = reader.uint16();
  if ((flags & 0x8000) === 0) throw malformed("a DNS query where an answer was expected");
  const [questions, answers] = [reader.uint16(), reader.uint16()];
  reader.offset = headerBytes;
  let question: DnsMessage["question"];
  for (let i = 0; i < questions; i++) {
    const asked = { name: reader.name(), type: reader.uint16() };
    reader.uint16();
    question ??= asked;
  }
  const found: DnsMessage["answers"][number][] = [];
  for (let i = 0; i < answers; i++) {
    const record = reader.record();
    if (record !== undefined) found.push(record);
  }
  return {
    id,
    code: codes[flags & 0x0f] ?? "OTHER",
    truncated: (flags & 0x0200) !== 0,
    question,
    answers: found,
  };
}

function malformed(what: string): WeftError {
  return new WeftError("WEFT-E003", what);
}

class Reader {
  offset = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  #byte(at: number): number {
    const value = this.#bytes[at];
    if (value === undefined) throw malformed("a DNS message that ends too early");
    return value;
  }

  uint16(): number {
    const value = (this.#byte(this.offset) << 8) | this.#byte(this.offset + 1);
    this.offset += 2;
    return value;
  }

  name(): string {
    const labels: string[] = [];
    let at = this.offset;
    /** Each jump must land before the one before it, so a loop is impossible. */
    let lowest = this.offset;
    let jumped = false;
    let total = 0;
    for (;;) {
      const length = this.#byte(at);
      if (length >= 0xc0) {
        const target = ((length & 0x3f) << 8) | this.#byte(at + 1);
        if (!jumped) this.offset = at + 2;
        if (target >= lowest) throw malformed("a DNS name that points forward");
        [at, lowest, jumped] = [target, target, true];
        continue;
      }
      if (length > 63) throw malformed("a DNS label of an unknown kind");
      if (length === 0) {
        if (!jumped) this.offset = at + 1;
        return labels.join(".");
      }
      total += length + 1;
      if (total > 255) throw malformed("a DNS name of more than 255 bytes");
      const label = this.#bytes.subarray(at + 1, at + 1 + length);
      this.#byte(at + length);
      labels.push(Buffer.from(label).toString("latin1").toLowerCase());
      at += length + 1;
    }
  }

  record(): DnsMessage["answers"][number] | undefined {
    const name = this.name();
    const number = this.uint16();
    this.offset += 6;
    const length = this.uint16();
    const end = this.offset + length;
    if (end > this.#bytes.length) throw malformed("a DNS record that ends too early");
    const type = (Object.keys(typeNumbers) as QueryType[]).find((key) => typeNumbers[key] === number);
    const value = type === undefined ? undefined : this.#value(type, length);
    this.offset = end;
    return type === undefined || value === undefined ? undefined : { name, type, value };
  }

  #value(type: QueryType, length: number): string | undefined {
    const data = this.#bytes.subarray(this.offset, this.offset + length);
    switch (type) {
      case "A":
        return length === 4 ? data.join(".") : undefined;
      case "AAAA": {
        const groups = Buffer.from(data).toString("hex").match(/.{4}/g) ?? [];
        return length === 16 ? normaliseAddress(groups.join(":")) : undefined;
      }
      case "SRV":
        return `${this.uint16()} ${this.uint16()} ${this.uint16()} ${this.name()}`;
      case "NS":
      case "SOA":
        return this.name();
    }
  }
}
