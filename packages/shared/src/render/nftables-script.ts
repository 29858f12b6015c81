// In: the elements of a policy, a slot, and what the revision says. Out: nft scripts, one transaction each: load
// directly, stage beside the confirmed one, arm, disarm, confirm. Pure.
import {
  baseChains,
  baseRules,
  chainsIn,
  inSlot,
  otherSlot,
  type Slot,
  sharedSets,
  slots,
} from "./nftables-slots.ts";
import { type PolicySet, policySets } from "./nftables-table.ts";

export type Elements = ReadonlyMap<string, readonly string[]>;

const table = "inet weft";

/** Everything there, whatever was there before. */
function declarations(): string[] {
  const lines = [`add table ${table}`];
  for (const { name, spec } of sharedSets) lines.push(`add set ${table} ${name} { ${spec} }`);
  for (const slot of slots) lines.push(...policySets.map((set) => declaration(slot, set)));
  for (const { name, hook } of baseChains)
    lines.push(`add chain ${table} ${name} { type filter hook ${hook} priority filter; policy accept; }`);
  for (const slot of slots) for (const { name } of chainsIn(slot)) lines.push(`add chain ${table} ${name}`);
  return lines;
}

function declaration(slot: Slot, { name, type, interval }: PolicySet): string {
  return `add set ${table} ${inSlot(slot, name)} { type ${type};${interval ? " flags interval;" : ""} }`;
}

/**
 * Of the slot that judges, before and after: elements that stay are found at every moment. A set that is taken away and
 * made anew is empty for the packets that come before the kernel has committed it, and what it refuses gets through.
 */
function flushSets(slot: Slot): string[] {
  return policySets.map(({ name }) => `flush set ${table} ${inSlot(slot, name)}`);
}

/**
 * Of a slot that does not judge. Taken away and made anew: the kernel empties a set of concatenated ranges element by element, each at a cost that grows
 * with their number (5,000 elements: half a second), and drops it at once. The chains over them are emptied before.
 */
function emptySets(slot: Slot): string[] {
  return policySets.flatMap((set) => [
    `delete set ${table} ${inSlot(slot, set.name)}`,
    declaration(slot, set),
  ]);
}

function emptyChains(slot: Slot): string[] {
  return chainsIn(slot).map(({ name }) => `flush chain ${table} ${name}`);
}

function addElements(set: string, found: readonly string[]): string[] {
  return found.length === 0 ? [] : [`add element ${table} ${set} {`, `  ${found.join(",\n  ")}`, "}"];
}

function fill(slot: Slot, elements: Elements): string[] {
  return [
    ...chainsIn(slot).flatMap(({ name, rules }) => rules.map((rule) => `add rule ${table} ${name} ${rule}`)),
    ...policySets.flatMap(({ name }) => addElements(inSlot(slot, name), elements.get(name) ?? [])),
  ];
}

function choose(confirmed: Slot, candidate?: Slot): string[] {
  return baseChains.flatMap(({ name, hook }) =>
    baseRules(hook, confirmed, candidate).map((rule) => `add rule ${table} ${name} ${rule}`),
  );
}

const emptyBase = (): string[] => baseChains.map(({ name }) => `flush chain ${table} ${name}`);

const textOf = (lines: readonly string[]): string => `${lines.join("\n")}\n`;

/** The policy, alone and in force: on an empty kernel and over any older state of the table. */
export function directScript(slot: Slot, elements: Elements, rev: string): string {
  return textOf([
    ...declarations(),
    `flush table ${table}`,
    ...flushSets(slot),
    ...emptySets(otherSlot(slot)),
    `flush set ${table} rev`,
    `flush set ${table} armed`,
    ...choose(slot),
    ...fill(slot, elements),
    ...addElements("rev", [rev]),
  ]);
}

/** The policy in its slot beside the confirmed one. Nothing is judged by it before it is armed. */
export function stageScript(candidate: Slot, elements: Elements): string {
  return textOf([
    ...declarations(),
    ...emptyChains(candidate),
    ...emptySets(candidate),
    `flush set ${table} armed`,
    ...emptyBase(),
    ...choose(otherSlot(candidate), candidate),
    ...fill(candidate, elements),
  ]);
}

/** What is staged judges until the time is up. */
export function armScript(digest: string, timeoutMs: number): string {
  const armed = ["ipv4", "ipv6"].map(
    (family) => `${family} timeout ${timeoutMs}ms comment "digest=${digest}"`,
  );
  return textOf([`flush set ${table} armed`, ...addElements("armed", armed)]);
}

/** The confirmed policy judges again, before the time is up. */
export function disarmScript(): string {
  return textOf([`flush set ${table} armed`]);
}

/**
 * The armed candidate for good. The kernel refuses to delete an element that has expired, and with it the whole
 * transaction: a confirm that comes too late changes nothing.
 */
export function confirmScript(candidate: Slot, rev: string): string {
  const before = otherSlot(candidate);
  return textOf([
    `delete element ${table} armed { ipv4, ipv6 }`,
    ...emptyBase(),
    ...choose(candidate),
    ...emptyChains(before),
    ...emptySets(before),
    `flush set ${table} rev`,
    ...addElements("rev", [rev]),
  ]);
}
