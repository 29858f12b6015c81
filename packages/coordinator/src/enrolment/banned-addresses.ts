// In: bans, and what each node is to be by the mesh file. Out: the addresses they stand for: those each machine had when it was
// banned, and those the mesh gives its name now, its endpoints of Cilium among them. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Ban } from "../store/records.ts";

export function bannedAddresses(
  bans: readonly Ban[],
  contents: ReadonlyMap<string, DesiredContent>,
): string[] {
  return bans.flatMap(({ node, addresses }) => {
    const content = contents.get(node);
    return content === undefined
      ? addresses
      : [...addresses, content.address, ...(content.policy.endpoints ?? [])];
  });
}
