// In: what every node is to be by the mesh file, and addresses of banned nodes. Out: the same with the bans, which no
// mesh file can lift. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import { byText } from "@weft/shared/plan/text-order";

export function withBans<T extends DesiredContent>(
  contents: ReadonlyMap<string, T>,
  addresses: readonly string[],
): ReadonlyMap<string, T> {
  const banned = [...new Set(addresses)].sort(byText);
  return new Map(
    [...contents].map(([node, content]) => {
      const { policy } = content;
      // as of its address (nftables-elements.ts): a node never locks itself out of itself
      const others = banned.filter((address) => policy.endpoints?.includes(address) !== true);
      return [node, { ...content, policy: { ...policy, guard: { ...policy.guard, banned: others } } }];
    }),
  );
}
