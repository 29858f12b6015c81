// In: what `nft -j` prints about the table. Out: the revision the kernel carries, and a fingerprint of what it
// enforces, for telling later whether somebody changed it. Pure.
import { digestOf } from "../plan/canonical.ts";

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function itemsOf(text: string): Json[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return []; // nothing that nft would print: carries no revision, matches no fingerprint
  }
  const list: unknown = isObject(parsed) ? parsed["nftables"] : undefined;
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** From `nft -j list set inet weft rev`. Undefined: no rules of a revision are loaded (nothing, or guards only). */
export function parseKernelRevision(nftJson: string): { revision: number; digest: string } | undefined {
  for (const item of itemsOf(nftJson)) {
    const set = item["set"];
    if (!isObject(set) || set["name"] !== "rev" || !Array.isArray(set["elem"])) continue;
    for (const entry of set["elem"]) {
      const element: unknown = isObject(entry) ? entry["elem"] : undefined;
      if (!isObject(element)) continue;
      const digest = /^digest=([0-9a-f]{64})$/.exec(String(element["comment"]))?.[1];
      const revision = Number(element["val"]);
      if (digest !== undefined && Number.isInteger(revision)) return { revision, digest };
    }
  }
  return undefined;
}

export interface ArmedState {
  /** Of the candidate that judges now. */
  readonly digest: string;
  /** Whole seconds, rounded down. */
  readonly expiresSeconds: number;
}

/** From `nft -j list set inet weft armed`: elements that have expired are not in it. Undefined: nothing is armed. */
export function parseArmed(nftJson: string): ArmedState | undefined {
  for (const item of itemsOf(nftJson)) {
    const set = item["set"];
    if (!isObject(set) || set["name"] !== "armed" || !Array.isArray(set["elem"])) continue;
    for (const entry of set["elem"]) {
      const element: unknown = isObject(entry) ? entry["elem"] : undefined;
      if (!isObject(element)) continue;
      const digest = /^digest=([0-9a-f]{64})$/.exec(String(element["comment"]))?.[1];
      if (digest !== undefined) return { digest, expiresSeconds: Number(element["expires"] ?? 0) };
    }
  }
  return undefined;
}

/** The same of one slot alone: what stands in it stays when the base chains and the other slot change. */
export function slotFingerprint(nftJson: string, slot: "a" | "b"): string {
  return fingerprintOf(nftJson, (name) => name.startsWith(`${slot}_`));
}

/**
 * From `nft -j list table inet weft`: rules in their order, chains, and sets with their elements; without handles,
 * counters and what the kernel itself put into sets. Equal fingerprints: the same is enforced.
 */
export function rulesetFingerprint(nftJson: string): string {
  return fingerprintOf(nftJson, () => true);
}

function fingerprintOf(nftJson: string, counts: (name: string) => boolean): string {
  const parts = itemsOf(nftJson).flatMap((item): [string, unknown][] => {
    for (const kind of ["table", "chain", "set", "map", "rule"]) {
      const found = item[kind];
      if (!isObject(found)) continue;
      const name = String(found[kind === "rule" ? "chain" : "name"]);
      return counts(name) ? [[`${kind} ${name}`, lasting(found)]] : [];
    }
    return [];
  });
  // a stable sort: the rules of a chain keep their order
  parts.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return digestOf(parts);
}

const passing: ReadonlySet<string> = new Set(["handle", "index", "expires", "counter", "packets", "bytes"]);

function lasting(item: Json): unknown {
  const flags = item["flags"];
  const isFilledByKernel =
    Array.isArray(flags) && flags.some((flag) => flag === "dynamic" || flag === "timeout");
  const rest = Object.entries(item).filter(
    ([key]) => !passing.has(key) && !(key === "elem" && isFilledByKernel),
  );
  return Object.fromEntries(
    rest.map(([key, value]) => [key, key === "elem" ? sortedElements(value) : plain(value)]),
  );
}

function sortedElements(value: unknown): unknown {
  if (!Array.isArray(value)) return plain(value);
  const texts = value.map((element) => digestOf([plain(element)]));
  return texts.sort();
}

/** Without what passes, and with protocols by number: whether nft can name them depends on /etc/protocols. */
function plain(value: unknown): unknown {
  if (value === "tcp") return 6;
  if (value === "udp") return 17;
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !passing.has(key))
      .map(([key, part]) => [key, plain(part)]),
  );
}
