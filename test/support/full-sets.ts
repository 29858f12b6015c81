// In: a host whose kernel carries the table. Out: every set that the kernel fills, full to its last element, as a patient
// attacker would leave it; and a way to see that each still is.
import { recordSets } from "../../packages/shared/src/render/nftables-records.ts";
import type { KernelNet } from "./kernel-net.ts";

interface KernelSet {
  readonly name: string;
  readonly types: readonly string[];
  readonly size: number;
}

/** Types and sizes are the kernel's own word. */
function fillable(net: KernelNet, host: string): KernelSet[] {
  const listing = JSON.parse(net.run(host, ["nft", "-j", "-t", "list", "sets", "table", "inet", "weft"])) as {
    readonly nftables: readonly { readonly set?: { name: string; type: string | string[]; size?: number } }[];
  };
  const ours = new Set(recordSets.map(({ name }) => name));
  return listing.nftables.flatMap(({ set }) =>
    set === undefined || !ours.has(set.name)
      ? []
      : [{ name: set.name, types: [set.type].flat(), size: set.size ?? 0 }],
  );
}

/** The first part of the key tells elements apart; no host of a test has these addresses, or is user 100,000 and more. */
function element({ types }: KernelSet, index: number): string {
  const parts = types.map((type, place) => {
    switch (type) {
      case "ipv4_addr":
        return place === 0 ? `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}` : "10.77.0.12";
      case "ipv6_addr":
        return place === 0
          ? `fd99::${(index >> 16).toString(16)}:${(index & 0xffff).toString(16)}`
          : "fd77::12";
      case "inet_proto":
        return "tcp";
      case "inet_service":
        return "8080";
      case "uid":
        return String(100_000 + (place === 0 ? index : 0));
      default:
        throw new Error(`no value for ${type}`);
    }
  });
  return parts.join(" . ");
}

/** Returns the names of the sets. */
export function fillSets(net: KernelNet, host: string): string[] {
  const sets = fillable(net, host);
  for (const set of sets) {
    const all = Array.from({ length: set.size }, (_, index) => `${element(set, index)} timeout 1d`);
    net.nft(
      host,
      `flush set inet weft ${set.name}\nadd element inet weft ${set.name} { ${all.join(", ")} }\n`,
    );
  }
  return sets.map(({ name }) => name);
}

/** The sets that would take one more element. */
export function roomLeft(net: KernelNet, host: string): string[] {
  return fillable(net, host)
    .filter((set) => {
      try {
        net.nft(host, `add element inet weft ${set.name} { ${element(set, set.size)} }\n`);
        return true;
      } catch {
        return false;
      }
    })
    .map(({ name }) => name);
}
