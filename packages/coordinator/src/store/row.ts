// In: a row of SQLite. Out: its columns with their types, or WEFT-E502: a store that holds something else is damaged.
import { WeftError } from "@weft/shared/errors/weft-error";

export type Row = Readonly<Record<string, unknown>>;

function damaged(column: string, wanted: string): WeftError {
  return new WeftError("WEFT-E502", `the store is damaged: column ${column} is no ${wanted}`, {
    hint: "restore the newest backup of the state directory",
  });
}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw damaged(column, "text");
  return value;
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw damaged(column, "integer");
  return value;
}

export function bytes(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw damaged(column, "blob");
  return value;
}

export function time(row: Row, column: string): Date {
  return new Date(integer(row, column));
}

/** undefined for NULL. */
export function optional<T>(row: Row, column: string, read: (row: Row, column: string) => T): T | undefined {
  return row[column] === null ? undefined : read(row, column);
}

export function oneOfColumn<T extends string>(row: Row, column: string, allowed: readonly T[]): T {
  const value = text(row, column);
  const found = allowed.find((item) => item === value);
  if (found === undefined) throw damaged(column, allowed.join(" or "));
  return found;
}

/** A JSON column written by this program. */
export function json(row: Row, column: string): unknown {
  try {
    return JSON.parse(text(row, column));
  } catch (cause) {
    throw new WeftError("WEFT-E502", `the store is damaged: column ${column} is no JSON`, { cause });
  }
}
