// In: what was typed. Out: the value it means, or a usage error. Pure.
import { WeftError } from "@weft/shared/errors/weft-error";
import { normaliseAddress } from "@weft/shared/model/address";
import { parseRiskCode } from "../guard/acceptance.ts";
import type { RiskCode } from "../guard/risk.ts";

const sizes: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
const longestTtlSeconds = 24 * 3600;

/** "90s", "15m", "2h" as seconds. */
export function parseTtl(text: string): number {
  const match = /^([1-9]\d{0,5})([smh])$/.exec(text);
  const seconds = Number(match?.[1]) * (sizes[match?.[2] ?? ""] ?? Number.NaN);
  if (seconds <= longestTtlSeconds) return seconds;
  throw new WeftError("WEFT-E001", `"${text}" is no lifetime of a token`, {
    hint: "write it like 90s, 15m or 2h; at most 24h",
  });
}

/** Whole seconds, as "60" or "60s". */
export function parseSeconds(text: string): number {
  const match = /^([1-9]\d{0,4})s?$/.exec(text);
  if (match !== null) return Number(match[1]);
  throw new WeftError("WEFT-E001", `"${text}" is no number of seconds`, { hint: "write it like 60" });
}

export function parseFrom(text: string): "declared" | "any" {
  if (text === "any" || text === "declared") return text;
  throw new WeftError("WEFT-E001", `--from does not know "${text}"`, {
    hint: "allowed: any, declared (the address in the mesh file)",
  });
}

/** One more of them. */
export function parseRisks(text: string, earlier: readonly RiskCode[]): readonly RiskCode[] {
  return [...earlier, parseRiskCode(text)];
}

/** The number of a revision. */
export function parseRevision(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new WeftError("WEFT-E001", `"${text}" is no revision`, { hint: "`weft history` lists them" });
}

/** One more of them. */
export function parseAddresses(text: string, earlier: readonly string[]): readonly string[] {
  const address = normaliseAddress(text);
  if (address !== undefined) return [...earlier, address];
  throw new WeftError("WEFT-E001", `"${text}" is no IP address`, {
    hint: "write it like 10.0.0.5 or fd00::5",
  });
}
