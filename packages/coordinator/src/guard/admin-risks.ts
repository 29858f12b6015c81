// In: a change. Out: addresses that no longer get in as administrators, and guard ports they no longer get to. Ranges are
// compared as sets of addresses and of ports: a wider range in place of a narrower one takes nothing away. Pure.
import { addressRanges, formatAddressRange, holds, without } from "@weft/shared/model/address-ranges";
import type { PortRange } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import { formatRange } from "../mesh/selection.ts";
import { meshPlace } from "./mesh-place.ts";
import type { MeshChange, Risk, RiskCode } from "./risk.ts";

/** No range speaks for a node's address, only the address by itself. */
function admins({ guard, nodes }: Mesh): (address: string) => boolean {
  const named = new Set(guard.admin);
  const taken = new Set(nodes.map(({ address }) => address));
  const ranges = addressRanges(guard.admin);
  return (address) => named.has(address) || (!taken.has(address) && holds(ranges, address));
}

export function adminRisks({ before, after, members }: MeshChange): Risk[] {
  if (before === undefined) return [];
  const { admin, ports } = before.mesh.guard;
  // one is nothing without the other
  if (admin.length === 0 || ports.length === 0) return [];
  const guarded = [...before.contents.keys()].filter((node) => members.has(node) && after.contents.has(node));
  const everywhere = (code: RiskCode, text: string, ...fields: readonly string[]): Risk[] =>
    guarded.map((node) => ({
      code,
      node,
      text,
      place: meshPlace(after.mesh, ...fields),
    }));
  const open = ports.map(formatRange).join(", ");
  const [wasAdmin, isAdmin] = [admins(before.mesh), admins(after.mesh)];
  const lost = without(addressRanges(admin), addressRanges(after.mesh.guard.admin));
  return [
    ...lost.flatMap((range) =>
      everywhere(
        "GUARD-ADMIN",
        `${formatAddressRange(range)} is no admin range any more: it no longer gets to ${open} whatever the policies say`,
        "guard/admin",
        "guard",
      ),
    ),
    ...after.mesh.nodes
      .filter(({ address }) => wasAdmin(address) && !isAdmin(address))
      .filter(({ address }) => !holds(lost, address))
      .flatMap(({ name, address, place }) =>
        guarded.map((node) => ({
          code: "GUARD-ADMIN" as const,
          node,
          text: `${address} is the node ${name}'s and not named by itself: it no longer gets to ${open} by its admin range`,
          place,
        })),
      ),
    ...portsWithout(ports, after.mesh.guard.ports).flatMap((range) =>
      everywhere(
        "GUARD-PORT",
        `${formatRange(range)} is no guard port any more: a policy may close it to the admin ranges`,
        "guard/ports",
        "guard",
      ),
    ),
  ];
}

export function portsWithout(ranges: readonly PortRange[], taken: readonly PortRange[]): PortRange[] {
  return ranges.flatMap((range) => {
    const inOrder = taken
      .filter(({ protocol }) => protocol === range.protocol)
      .sort((a, b) => a.from - b.from);
    const left: PortRange[] = [];
    let { from } = range;
    for (const other of inOrder) {
      if (other.to < from || other.from > range.to) continue;
      if (other.from > from) left.push({ ...range, from, to: other.from - 1 });
      from = other.to + 1;
    }
    if (from <= range.to) left.push({ ...range, from });
    return left;
  });
}
