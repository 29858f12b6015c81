// In: bans and the mesh. Out: the addresses they stand for: those each machine had when it was banned, and the one the
// mesh gives its name now. Pure.
import type { Mesh } from "@weft/shared/model/mesh";
import type { Ban } from "../store/records.ts";

export function bannedAddresses(bans: readonly Ban[], mesh: Mesh): string[] {
  if (bans.length === 0) return [];
  const names = new Set(bans.map(({ node }) => node));
  return [
    ...bans.flatMap(({ addresses }) => addresses),
    ...mesh.nodes.filter(({ name }) => names.has(name)).map(({ address }) => address),
  ];
}
