// In: a zod schema and a path into what it describes. Out: the keys allowed in the map there. Pure.
import { z } from "zod";

type Schema = z.core.$ZodType;

export function keysAt(schema: Schema, path: readonly PropertyKey[]): readonly string[] {
  if (schema instanceof z.ZodOptional) return keysAt(schema.unwrap(), path);
  if (schema instanceof z.ZodUnion)
    return schema.options.map((option) => keysAt(option, path)).find((keys) => keys.length > 0) ?? [];
  const [step, ...rest] = path;
  if (schema instanceof z.ZodObject) {
    if (step === undefined) return Object.keys(schema.shape);
    const part: unknown = schema.shape[String(step)];
    return part instanceof z.ZodType ? keysAt(part, rest) : [];
  }
  // a union of one item and a list of items is written both ways: its items are found at the same path
  if (schema instanceof z.ZodArray) return keysAt(schema.element, typeof step === "number" ? rest : path);
  if (schema instanceof z.ZodRecord) return step === undefined ? [] : keysAt(schema.valueType, rest);
  return [];
}
