// In: a YAML document. Out: cursors: a value together with where it, its key and its parts were written. Pure.
import type { Place } from "@weft/shared/model/mesh";
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter, type Node } from "yaml";

export interface Cursor {
  /** As plain data. */
  readonly value: unknown;
  /** Of the value; of its key when the value is empty. */
  readonly place: Place;
  /** Of the key; of the value where there is no key. */
  readonly keyPlace: Place;
  /** The part at a path, or as near to it as there is something. */
  at(path: readonly PropertyKey[]): Cursor;
  /** Of a map, in the order written. */
  entries(): readonly (readonly [string, Cursor])[];
  /** Of a list. */
  items(): readonly Cursor[];
}

export interface CursorSource {
  readonly file: string;
  readonly document: Document;
  readonly lines: LineCounter;
}

export function keyText(key: unknown): string {
  const value: unknown = isScalar(key) ? key.value : key;
  return typeof value === "string" ? value : String(isNode(value) ? value.toString() : value);
}

export function placeOfOffset(source: Pick<CursorSource, "file" | "lines">, offset: number): Place {
  const { line, col } = source.lines.linePos(offset);
  return { file: source.file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

function partOf(value: unknown, key: string | number): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.hasOwn(value, key) ? (value as Record<string | number, unknown>)[key] : undefined;
}

export function makeCursor(
  source: CursorSource,
  node: Node | null,
  key: Node | null,
  value: unknown,
): Cursor {
  const offsetOf = (where: Node | null): number | undefined => where?.range?.[0] ?? undefined;
  const empty = node === null || (isScalar(node) && (node.value === null || node.source === ""));
  const valueOffset = (empty ? offsetOf(key) : undefined) ?? offsetOf(node) ?? offsetOf(key) ?? 0;
  const place = placeOfOffset(source, valueOffset);
  const real = isAlias(node) ? (node.resolve(source.document) ?? null) : node;

  // made when first asked for, and once: a hostile file may have a hundred thousand keys
  let parts: readonly (readonly [string, Cursor])[] | undefined;
  let byName: Map<string, Cursor> | undefined;
  let list: readonly Cursor[] | undefined;
  const entries = () => {
    parts ??= isMap(real)
      ? real.items.map((pair) => {
          const name = keyText(pair.key);
          const keyNode = isNode(pair.key) ? pair.key : null;
          const child = isNode(pair.value) ? pair.value : null;
          return [name, makeCursor(source, child, keyNode, partOf(value, name))] as const;
        })
      : [];
    return parts;
  };
  const named = (name: string) => {
    byName ??= new Map([...entries()].reverse());
    return byName.get(name);
  };
  const items = () => {
    list ??= isSeq(real)
      ? real.items.map((item, index) =>
          makeCursor(source, isNode(item) ? item : null, null, partOf(value, index)),
        )
      : [];
    return list;
  };
  const cursor: Cursor = {
    value,
    place,
    keyPlace: key === null ? place : placeOfOffset(source, offsetOf(key) ?? valueOffset),
    entries,
    items,
    at(path) {
      const [step, ...rest] = path;
      if (step === undefined) return cursor;
      const next = typeof step === "number" ? items()[step] : named(String(step));
      return next === undefined ? cursor : next.at(rest);
    },
  };
  return cursor;
}
