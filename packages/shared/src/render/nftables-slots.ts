// In: the table's chains and policy sets, as one policy needs them. Out: the same twice, in the slots `a` and `b`, so
// that an old and a new policy stand whole beside each other, and the base chains that choose between them. Pure.
//
// Everything a policy consists of is named by its slot (`a_mesh4`, `b_judge_in`) and refers to nothing of the other.
// What the kernel records, `rev`, `armed` and the break-glass sets are there once. A base chain goes to the confirmed
// slot; while `armed` holds the packet's family, to the candidate instead: when the elements expire, the old verdicts
// are back with no process alive.
import { chains } from "./nftables-chains.ts";
import { markSets } from "./nftables-memory.ts";
import { recordSets } from "./nftables-records.ts";
import type { Chain } from "./nftables-rule.ts";
import { policySets } from "./nftables-table.ts";

export type Slot = "a" | "b";
export const slots: readonly Slot[] = ["a", "b"];

export function otherSlot(slot: Slot): Slot {
  return slot === "a" ? "b" : "a";
}

/** The name of a policy set or chain within a slot. */
export function inSlot(slot: Slot, name: string): string {
  return `${slot}_${name}`;
}

const slotted: ReadonlySet<string> = new Set(policySets.map(({ name }) => name));

function ruleIn(slot: Slot, rule: string): string {
  return rule
    .replaceAll(/@(\w+)/g, (all, name: string) => (slotted.has(name) ? `@${inSlot(slot, name)}` : all))
    .replaceAll(/\b(goto|jump) (\w+)/g, (_, verb: string, name: string) => `${verb} ${inSlot(slot, name)}`);
}

export function chainsIn(slot: Slot): { readonly name: string; readonly rules: readonly string[] }[] {
  return chains.map(({ name, rules }) => ({
    name: inSlot(slot, name),
    rules: rules.map((rule) => ruleIn(slot, rule)),
  }));
}

type BaseChain = Chain & { readonly hook: NonNullable<Chain["hook"]> };

export const baseChains: readonly BaseChain[] = chains.filter(
  (chain): chain is BaseChain => chain.hook !== undefined,
);

const neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }";

/**
 * What somebody at the machine itself opened, for a while: before any policy and any ban, whichever is in force; and the
 * answers, and what IPv6 needs to find each other, which a ban would keep back.
 */
export const glassRules: Readonly<Partial<Record<BaseChain["hook"], readonly string[]>>> = {
  input: [
    "meta l4proto . th dport @glass_ports ip saddr @glass_from4 accept",
    "meta l4proto . th dport @glass_ports ip6 saddr @glass_from6 accept",
    `${neighbours} ip6 saddr @glass_from6 accept`,
  ],
  output: [
    "meta l4proto . th sport @glass_ports ip daddr @glass_from4 accept",
    "meta l4proto . th sport @glass_ports ip6 daddr @glass_from6 accept",
    `${neighbours} ip6 daddr @glass_from6 accept`,
  ],
};

/** @param candidate the slot that judges while it is armed */
export function baseRules(hook: BaseChain["hook"], confirmed: Slot, candidate?: Slot): string[] {
  const rules = [`goto ${inSlot(confirmed, hook)}`];
  if (candidate !== undefined) rules.unshift(`meta nfproto @armed goto ${inSlot(candidate, hook)}`);
  return [...(glassRules[hook] ?? []), ...rules];
}

/** Sets that are there once. */
export const sharedSets: readonly { readonly name: string; readonly spec: string }[] = [
  // one element: the revision that is confirmed, with the digest in its comment
  { name: "rev", spec: "type mark;" },
  // both families while a candidate judges, with its digest in their comments
  { name: "armed", spec: "typeof meta nfproto; flags timeout;" },
  { name: "glass_ports", spec: "type inet_proto . inet_service; flags interval,timeout;" },
  { name: "glass_from4", spec: "type ipv4_addr; flags interval,timeout;" },
  { name: "glass_from6", spec: "type ipv6_addr; flags interval,timeout;" },
  ...markSets,
  ...recordSets,
];
