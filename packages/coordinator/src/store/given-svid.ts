// GivenSvid <-> the JSON text of its column.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { GivenSvid } from "./records.ts";
import { json, type Row } from "./row.ts";

export function givenSvidText(given: GivenSvid): string {
  return JSON.stringify({
    csrHash: given.csrHash,
    chain: given.chain.map((der) => Buffer.from(der).toString("base64")),
    expires: given.expires.getTime(),
  });
}

export function givenSvid(row: Row, column: string): GivenSvid {
  const value = json(row, column);
  if (
    typeof value === "object" &&
    value !== null &&
    "csrHash" in value &&
    typeof value.csrHash === "string" &&
    "chain" in value &&
    Array.isArray(value.chain) &&
    value.chain.every((item) => typeof item === "string") &&
    "expires" in value &&
    typeof value.expires === "number"
  )
    return {
      csrHash: value.csrHash,
      chain: value.chain.map((item: string) => new Uint8Array(Buffer.from(item, "base64"))),
      expires: new Date(value.expires),
    };
  throw new WeftError("WEFT-E502", `the store is damaged: column ${column} is no certificate record`);
}
