// In: nothing. Out: the table that records what passed Weft's own, as one transaction. Pure. Its sets are named like those
// of Weft's table, since they record the same; none of its rules has a verdict.
//
// It is not owned by a process (`flags owner`), which would save it from `flush ruleset`: nft 1.0.6 prints such a table as
// broken JSON, and with it everybody's `nft -j list ruleset`.

export const witnessTable = "inet weft-witness";

interface Record {
  readonly set: string;
  readonly chain: "input" | "output" | "forward";
  readonly key: string;
}

const records: readonly Record[] = [
  { set: "seen_in", chain: "input", key: "ip saddr . meta l4proto . th dport" },
  { set: "seen_out", chain: "output", key: "ip daddr . meta l4proto . th dport . meta skuid" },
  { set: "seen_forward", chain: "forward", key: "ip saddr . ip daddr . meta l4proto . th dport" },
];

const families = [4, 6] as const;
const keyOf = (key: string, family: 4 | 6): string =>
  family === 4 ? key : key.replaceAll(/\bip (saddr|daddr)/g, "ip6 $1");

/** Made anew, and empty. */
export function renderWitness(): string {
  const table = witnessTable;
  const sets = records.flatMap(({ set, key }) =>
    families.map(
      (family) =>
        `add set ${table} ${set}${family} { typeof ${keyOf(key, family)}; flags dynamic,timeout; timeout 1m; size 65536; counter; }`,
    ),
  );
  const chains = records.flatMap(({ set, chain, key }) => [
    // behind Weft's chain and those of others at the same place: what is refused there does not come here
    `add chain ${table} ${chain} { type filter hook ${chain} priority 10; policy accept; }`,
    ...(chain === "forward"
      ? []
      : [`add rule ${table} ${chain} ${chain === "input" ? "iif" : "oif"} lo return`]),
    ...families.map(
      (family) =>
        `add rule ${table} ${chain} ct state new meta l4proto { tcp, udp } update @${set}${family} { ${keyOf(key, family)} }`,
    ),
  ]);
  return `${[renderWitnessRemoval().trimEnd(), `add table ${table}`, ...sets, ...chains].join("\n")}\n`;
}

/** Takes it away, if it is there. */
export function renderWitnessRemoval(): string {
  return `add table ${witnessTable}\ndelete table ${witnessTable}\n`;
}
