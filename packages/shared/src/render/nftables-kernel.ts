// In: what `nft -j` prints about the table. Out: the revision the kernel carries, and a fingerprint of what it
// enforces, for telling later whether somebody changed it. Pure.

import { createHash } from "node:crypto";
import { byText } from "../plan/text-order.ts";
import type { Slot } from "./nftables-slots.ts";

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
  return carriedBy(itemsOf(nftJson));
}

function carriedBy(items: readonly Json[]): { revision: number; digest: string } | undefined {
  for (const item of items) {
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
  return armedIn(itemsOf(nftJson));
}

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** As nft prints one: 1m30s, 3s988ms. */
function durationMs(text: string): number {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[dhms])/g))
    total += Number(count) * unitMs[(unit ?? "ms") as keyof typeof unitMs];
  return total;
}

/**
 * From `nft list set inet weft armed`, without -j, which rounds to whole seconds: for how many ms the kernel has had the
 * candidate, by its own clock, to a tick of it (1-10 ms). Undefined: nothing is armed.
 */
export function parseArmedAge(nftText: string): number | undefined {
  const [, timeout, expires] = /\btimeout ([0-9dhms]+) expires ([0-9dhms]+)/.exec(nftText) ?? [];
  if (timeout === undefined || expires === undefined) return undefined;
  return durationMs(timeout) - durationMs(expires);
}

function armedIn(items: readonly Json[]): ArmedState | undefined {
  for (const item of items) {
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

/** All that is worth knowing of what `nft -j list table inet weft` prints. */
export interface ListedTable {
  readonly carried: { readonly revision: number; readonly digest: string } | undefined;
  /** Of the candidate that judges now. */
  readonly armed: string | undefined;
  readonly fingerprint: string;
  /** Of what stands in a slot, by names without the slot: the same when it stands in the other one. */
  readonly slots: Readonly<Record<Slot, string>>;
  /** Of all that is in no slot, but for the revision, and whichever slot it chooses. */
  readonly frame: string;
}

/**
 * The fingerprint is of rules in their order, chains, and sets with their elements; without handles, counters and what
 * the kernel itself put into sets. Equal fingerprints: the same is enforced. Fields count in the order nft prints them in.
 */
export function parseListedTable(nftJson: string): ListedTable {
  const items = itemsOf(withoutPassing(nftJson));
  const parts = items.flatMap((item): Part[] => {
    for (const kind of kinds) {
      const found = item[kind];
      if (!isObject(found)) continue;
      const name = String(found[kind === "rule" ? "chain" : "name"]);
      return [{ kind, name, text: lastingText(found) }];
    }
    return [];
  });
  // a stable sort: the rules of a chain keep their order
  parts.sort((a, b) => byText(a.kind, b.kind) || byText(a.name, b.name));
  const slotOf = (slot: Slot) =>
    fingerprintOf(parts.filter(({ name }) => name.startsWith(`${slot}_`)).map(withoutSlot));
  return {
    carried: carriedBy(items),
    armed: armedIn(items)?.digest,
    fingerprint: fingerprintOf(parts),
    slots: { a: slotOf("a"), b: slotOf("b") },
    frame: fingerprintOf(parts.filter(({ name }) => !/^(?:[ab]_|rev$)/.test(name)).map(withoutSlot)),
  };
}

export function rulesetFingerprint(nftJson: string): string {
  return parseListedTable(nftJson).fingerprint;
}

interface Part {
  readonly kind: string;
  readonly name: string;
  readonly text: string;
}

function withoutSlot({ kind, name, text }: Part): Part {
  return { kind, name: name.replace(/^[ab]_/, "_"), text: text.replaceAll(/"(@?)[ab]_/g, '"$1_') };
}

const kinds = ["table", "chain", "set", "map", "rule"] as const;
const passing = /"(?:handle|index|packets|bytes|expires)": ?\d+/g;

/** What nft prints without what changes by itself: equal texts, equal tables. */
export function withoutPassing(nftJson: string): string {
  return nftJson.replaceAll(passing, '"":0');
}

function fingerprintOf(parts: readonly Part[]): string {
  const hash = createHash("sha256");
  for (const { kind, name, text } of parts) hash.update(`${kind} ${name} ${text}\n`);
  return hash.digest("hex");
}

/** JSON.stringify is a tenth of what any walk over the parts takes, and this is run with every look at the kernel. */
function lastingText(item: Json): string {
  const { elem, flags, ...rest } = item;
  // nft 1.1.4 prints a single flag as a word
  const words: unknown[] = [flags].flat();
  const isFilledByKernel = words.some((flag) => flag === "dynamic" || flag === "timeout");
  const elements =
    Array.isArray(elem) && !isFilledByKernel ? elem.map((each) => JSON.stringify(each)).sort() : [];
  const text = `${JSON.stringify(rest)} ${JSON.stringify(words)} ${elements.join()}`;
  // whether nft can name protocols depends on /etc/protocols
  return text.replaceAll('"tcp"', "6").replaceAll('"udp"', "17");
}
