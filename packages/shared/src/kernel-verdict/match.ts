// In: a match statement, the packet and the table's sets. Out: whether it matches, and which elements it matched by.
// Pure.
import { intervalOf } from "./data-type.ts";
import { type Field, fieldsOf } from "./field.ts";
import { asList, asObject, asText, type Json } from "./json.ts";
import type { Packet } from "./packet.ts";
import { elementsOf, type NftElement, type NftTable } from "./ruleset.ts";
import { all, any, isUnknown, not, type Truth, type Unknown } from "./truth.ts";

/** An element of a set that spoke. */
export interface Hit {
  readonly set: string;
  readonly comment: string;
  /** A uid was part of what was looked up. */
  readonly byUid: boolean;
}

export interface Matched {
  readonly truth: Truth;
  readonly hits: readonly Hit[];
}

type Fields = readonly (Field | Unknown)[];

/** Below this no kernel picks a port by itself. */
const firstEphemeral = 1024n;

/** @param pattern a name, or the beginning of one and `*` */
function isNamed({ name, prefix }: Extract<Field, { kind: "interface" }>, pattern: string): Truth {
  const start = pattern.endsWith("*") ? pattern.slice(0, -1) : undefined;
  if (name !== undefined) return start === undefined ? name === pattern : name.startsWith(start);
  if (pattern === "lo" || pattern === "") return false;
  if (start !== undefined && prefix.startsWith(start)) return true;
  const known = (start ?? pattern).slice(0, prefix.length);
  return prefix.startsWith(known) ? { unknown: `whether the interface is ${pattern}` } : false;
}

function holds(field: Field | Unknown, constant: unknown): Truth {
  if (isUnknown(field)) return field;
  switch (field.kind) {
    case "absent":
      return false;
    case "interface": {
      const name = asText(constant);
      return name === undefined ? { unknown: "an interface" } : isNamed(field, name);
    }
    case "ephemeral": {
      const ports = intervalOf("port", constant);
      return ports !== undefined && ports.to < firstEphemeral ? false : { unknown: "the source port" };
    }
    case "number": {
      const interval = intervalOf(field.type, constant);
      if (interval === undefined) return { unknown: `the value ${JSON.stringify(constant)}` };
      return interval.from <= field.value && field.value <= interval.to;
    }
  }
}

function keyHolds(fields: Fields, key: unknown): Truth {
  const parts = asList(asObject(key)?.["concat"]);
  if (fields.length === 1 && parts === undefined) return holds(fields[0] ?? { kind: "absent" }, key);
  if (parts === undefined || parts.length !== fields.length) return { unknown: "a key of another length" };
  return all(fields.map((field, index) => holds(field, parts[index])));
}

export interface Found {
  readonly truth: Truth;
  readonly element: NftElement | undefined;
}

export function lookUp(fields: Fields, elements: readonly NftElement[]): Found {
  let truth: Truth = false;
  for (const element of elements) {
    const here = keyHolds(fields, element.key);
    if (here === true) return { truth: true, element };
    truth = any([truth, here]);
  }
  return { truth, element: undefined };
}

export function isAbsent(fields: Fields): boolean {
  return fields.some((field) => !isUnknown(field) && field.kind === "absent");
}

export function isByUid(fields: Fields): boolean {
  return fields.some((field) => !isUnknown(field) && field.kind === "number" && field.type === "uid");
}

/** Elements of a named or anonymous set; undefined: it names a set that is not there. */
export function elementsFor(right: unknown, table: NftTable): readonly NftElement[] | undefined {
  const name = asText(right);
  if (name?.startsWith("@") === true) return table.sets.get(name.slice(1))?.elements;
  const list = asList(asObject(right)?.["set"]);
  return list === undefined
    ? undefined
    : elementsOf(
        list,
        list.some((entry) => asList(entry) !== undefined),
      );
}

function isSetName(right: unknown): right is string {
  return typeof right === "string" && right.startsWith("@");
}

export function matchOf(match: Json, packet: Packet, table: NftTable): Matched {
  const fields = fieldsOf(match["left"], packet);
  // what is not in the packet matches nothing, not even "is not"
  if (isAbsent(fields)) return { truth: false, hits: [] };
  const { op, right } = match as { readonly op?: unknown; readonly right?: unknown };
  const isSet = isSetName(right) || asObject(right)?.["set"] !== undefined;
  if (isSet) {
    const elements = elementsFor(right, table);
    if (elements === undefined) return { truth: { unknown: `the set ${String(right)}` }, hits: [] };
    const { truth, element } = lookUp(fields, elements);
    const set = isSetName(right) ? right.slice(1) : "";
    const hits = element === undefined ? [] : [{ set, comment: element.comment, byUid: isByUid(fields) }];
    if (op === "==" || op === "in") return { truth, hits };
    if (op === "!=") return { truth: not(truth), hits: [] };
    return { truth: { unknown: `"${String(op)}" with a set` }, hits: [] };
  }
  return { truth: compare(String(op), fields, right), hits: [] };
}

function compare(op: string, fields: Fields, right: unknown): Truth {
  const [field] = fields;
  if (field === undefined) return { unknown: "an empty match" };
  if (op === "==") return keyHolds(fields, right);
  if (op === "!=") return not(keyHolds(fields, right));
  if (fields.length > 1 || isUnknown(field)) return isUnknown(field) ? field : { unknown: `"${op}"` };
  if (field.kind !== "number") return { unknown: `"${op}"` };
  const constant = intervalOf(field.type, right);
  if (constant === undefined) return { unknown: `the value ${JSON.stringify(right)}` };
  switch (op) {
    case "in":
      return (field.value & constant.from) !== 0n;
    case "<":
      return field.value < constant.from;
    case "<=":
      return field.value <= constant.from;
    case ">":
      return field.value > constant.to;
    case ">=":
      return field.value >= constant.to;
    default:
      return { unknown: `the operator "${op}"` };
  }
}
