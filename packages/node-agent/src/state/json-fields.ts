// In: the text of a state file. Out: its fields, each checked; a damaged file is a named error, never a guess.
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";

export interface JsonFields {
  text(name: string): string;
  optionalText(name: string): string | undefined;
  count(name: string): number;
  /** undefined: not there. */
  optionalCounts(name: string): readonly number[] | undefined;
  bytes(name: string): Uint8Array;
}

export function parseJsonFields(path: string, text: string): JsonFields {
  const damaged = (why: string, cause?: unknown): WeftError =>
    new WeftError("WEFT-E003", `${path} is damaged`, { why, cause });
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw damaged(messageOf(cause), cause);
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) throw damaged("it holds no object");
  const fields: ReadonlyMap<string, unknown> = new Map(Object.entries(data));
  const optionalText = (name: string): string | undefined => {
    const value = fields.get(name);
    if (value !== undefined && typeof value !== "string") throw damaged(`${name} is no text`);
    return value;
  };
  const textOf = (name: string): string => {
    const value = optionalText(name);
    if (value === undefined) throw damaged(`${name} is missing`);
    return value;
  };
  return {
    optionalText,
    text: textOf,
    count(name) {
      const value = fields.get(name);
      if (!isCount(value)) throw damaged(`${name} is no count`);
      return value;
    },
    optionalCounts(name) {
      const value = fields.get(name);
      if (value === undefined) return undefined;
      if (!Array.isArray(value) || !value.every(isCount)) throw damaged(`${name} is no list of counts`);
      return value;
    },
    bytes(name) {
      return Buffer.from(textOf(name), "base64");
    },
  };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
