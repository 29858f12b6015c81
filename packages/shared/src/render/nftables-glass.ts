// In: who is to get in whatever the policy says, to which ports, for how long. Out: the nft script that opens it, and
// the one that closes it again. Pure. The sets carry a timeout: what is opened ends by itself.
import { familyOf } from "../model/address.ts";
import type { PortRange } from "../model/desired.ts";
import { blockOf, elementsOf } from "./nftables-set.ts";
import { glassRules } from "./nftables-slots.ts";

const sets: readonly { readonly name: string; readonly type: string }[] = [
  { name: "glass_ports", type: "inet_proto . inet_service" },
  { name: "glass_from4", type: "ipv4_addr" },
  { name: "glass_from6", type: "ipv6_addr" },
];

export interface Glass {
  /** Addresses and CIDRs. */
  readonly from: readonly string[];
  readonly ports: readonly PortRange[];
  readonly seconds: number;
}

/** @param hasRule the base chains ask for the sets already */
export function renderGlass({ from, ports, seconds }: Glass, hasRule: boolean): string {
  const elements = new Map([
    ["glass_ports", portElements(ports)],
    ...([4, 6] as const).map(
      (family) =>
        [`glass_from${family}`, addressElements(from.filter((item) => familyOf(item) === family))] as const,
    ),
  ]);
  const lines = ["add table inet weft"];
  for (const { name, type } of sets)
    lines.push(
      `add set inet weft ${name} { type ${type}; flags interval,timeout; }`,
      `flush set inet weft ${name}`,
    );
  for (const [hook, rules] of Object.entries(glassRules)) {
    lines.push(`add chain inet weft ${hook} { type filter hook ${hook} priority filter; policy accept; }`);
    if (!hasRule) for (const rule of rules.toReversed()) lines.push(`insert rule inet weft ${hook} ${rule}`);
  }
  for (const [name, found] of elements)
    if (found.length > 0)
      lines.push(
        `add element inet weft ${name} { ${found.map((element) => `${element} timeout ${seconds}s`).join(", ")} }`,
      );
  return `${lines.join("\n")}\n`;
}

const bare = { group: "", ports: undefined, block: undefined, comment: "" };

function portElements(ranges: readonly PortRange[]): string[] {
  return elementsOf(
    ranges.map((range) => ({
      ...bare,
      group: range.protocol,
      ports: range,
      write: (ports) => `${range.protocol} . ${ports}`,
    })),
  );
}

function addressElements(blocks: readonly string[]): string[] {
  return elementsOf(blocks.map((text) => ({ ...bare, block: blockOf(text), write: (_, block) => block })));
}

export function renderGlassClosed(): string {
  return sets.map(({ name }) => `flush set inet weft ${name}\n`).join("");
}
