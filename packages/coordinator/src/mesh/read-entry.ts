// In: one entry of the mesh file and its schema. Out: its typed form, if there is one, and its problems. Pure.
import type { Place, Places, Problem } from "@weft/shared/model/mesh";
import type { z } from "zod";
import type { Cursor } from "./cursor.ts";
import { keysAt } from "./schema-keys.ts";
import { shapeProblems, valueAt } from "./shape-problems.ts";

export interface ReadEntry<T> {
  /** Undefined when too little of it can be understood. */
  readonly value: T | undefined;
  readonly problems: readonly Problem[];
}

type Issue = z.core.$ZodIssue;

export function readEntry<S extends z.ZodType>(
  schema: S,
  section: string,
  entry: Cursor,
): ReadEntry<z.output<S>> {
  const first = schema.safeParse(entry.value);
  if (first.success) return { value: first.data, problems: [] };
  const source = { section, entry, keysAt: (path: readonly PropertyKey[]) => keysAt(schema, path) };
  const problems = shapeProblems(source, first.error.issues);
  // What can be understood without the offending keys still takes part in the checks of the whole, so that one
  // run tells everything.
  const rest = schema.safeParse(withoutOffenders(entry.value, first.error.issues));
  return { value: rest.success ? rest.data : undefined, problems };
}

function withoutOffenders(value: unknown, issues: readonly Issue[]): unknown {
  const copy: unknown = structuredClone(value);
  const drop = (path: readonly PropertyKey[], key: PropertyKey) => {
    const parent = valueAt(copy, path);
    if (typeof parent === "object" && parent !== null && !Array.isArray(parent))
      delete (parent as Record<PropertyKey, unknown>)[key];
  };
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") for (const key of issue.keys) drop(issue.path, key);
    else if (issue.code === "invalid_value") drop(issue.path.slice(0, -1), issue.path.at(-1) ?? "");
  }
  return copy;
}

/** The place of every part of an entry, by its path ("ports/http", "nodes/0"). */
export function placesOf(entry: Cursor): Places {
  const places: Record<string, Place> = {};
  const walk = (cursor: Cursor, prefix: string, depth: number): void => {
    const parts: readonly (readonly [string, Cursor])[] = [
      ...cursor.entries(),
      ...cursor.items().map((item, index) => [String(index), item] as const),
    ];
    for (const [name, part] of parts) {
      places[`${prefix}${name}`] = part.place;
      if (depth > 0) walk(part, `${prefix}${name}/`, depth - 1);
    }
  };
  walk(entry, "", 2);
  return places;
}
