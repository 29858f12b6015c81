// In: `cilium:` with its places, if it is there. Out: what nodes with Cilium share, if it can be understood, and what is wrong
// with its form. Pure.
import type { MeshCilium, Problem } from "@weft/shared/model/mesh";
import { ciliumSchema } from "./cilium-schema.ts";
import type { Cursor } from "./cursor.ts";
import { readEntry } from "./read-entry.ts";

export function readCilium(cursor: Cursor | undefined, problems: Problem[]): MeshCilium | undefined {
  if (cursor === undefined) return undefined;
  const read = readEntry(ciliumSchema, "cilium", cursor);
  problems.push(...read.problems);
  if (read.value === undefined) return undefined;
  const { etcd, ranges } = read.value;
  const { nodes, members, ca, certificate, key } = etcd;
  if (nodes !== undefined) return { etcd: { nodes }, ranges };
  return { etcd: { members: members ?? [], ca, certificate, key }, ranges };
}
