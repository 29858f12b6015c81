// In: the guard flows a coordinator wants, and those this node keeps. Out: its own always, the coordinator's as far as
// the floor lets them be. Pure.
import type { DesiredPolicy } from "@weft/shared/model/desired";
import { valuesOf } from "./bound-dns.ts";
import type { Floor } from "./floor.ts";
import { isWithinPorts, isWithinRanges, partsWithin, portName, portsOverlap } from "./ranges.ts";
import type { Refusals } from "./refusals.ts";

export function boundGuard(policy: DesiredPolicy, floor: Floor, refusals: Refusals): DesiredPolicy {
  const own = { admin: valuesOf(floor.guard.admin), ports: valuesOf(floor.guard.ports) };
  const ports = policy.guard.ports.filter((port) => {
    const line = refusedPort(port, floor);
    if (line !== undefined) refusals.add(line, `guard port ${portName(port)}`);
    return line === undefined;
  });
  const bound = adminBound(floor);
  const admin = policy.guard.admin.flatMap((range) => {
    if (bound === undefined) return [range];
    const parts = partsWithin(range, [...bound.ranges, ...own.admin]);
    if (!parts.includes(range)) refusals.add(bound.line, `admin range ${range}${onlyText(parts)}`);
    return parts;
  });
  return {
    ...policy,
    guard: {
      ...policy.guard,
      admin: [...new Set([...admin, ...own.admin, ...nodesAmong(policy, own.admin)])],
      banned: policy.guard.banned.filter((address) => {
        const kept = floor.guard.admin?.items.find(({ value }) => isWithinRanges(address, [value]));
        if (kept !== undefined) refusals.add(kept.line, `a ban of ${address}`);
        return kept === undefined;
      }),
      ports: [...new Map([...ports, ...own.ports].map((port) => [portName(port), port])).values()],
    },
  };
}

export function onlyText(parts: readonly string[]): string {
  return parts.length === 0 ? "" : `; only ${parts.join(", ")} is let be`;
}

function refusedPort(port: DesiredPolicy["guard"]["ports"][number], floor: Floor): number | undefined {
  const { guard, ingress } = floor;
  if (isWithinPorts(port, valuesOf(guard.ports))) return undefined;
  const never = ingress.never?.items.find(({ value }) => portsOverlap(value, port));
  if (never !== undefined) return never.line;
  const { atMostPorts } = guard;
  return atMostPorts === undefined || isWithinPorts(port, valuesOf(atMostPorts))
    ? undefined
    : atMostPorts.line;
}

/** A port that is never open is open to this floor's own administrators at most; others are bounded as any source is. */
function adminBound({
  guard,
  ingress,
}: Floor): { readonly line: number; readonly ranges: string[] } | undefined {
  const shut = ingress.never?.items.find(({ value }) =>
    guard.ports?.items.some((port) => portsOverlap(port.value, value)),
  );
  if (shut !== undefined) return { line: shut.line, ranges: [] };
  const list = guard.atMostAdmin ?? ingress.from;
  return list === undefined ? undefined : { line: list.line, ranges: valuesOf(list) };
}

/**
 * An admin range does not speak for mesh nodes, so a coordinator that calls an administrator's machine a node would take
 * its way in. The floor's ranges speak for all in them: such an address is admitted by itself.
 */
function nodesAmong({ guard, mesh }: DesiredPolicy, admin: readonly string[]): string[] {
  if (admin.length === 0) return [];
  const addresses = new Set([...guard.nodeAddresses, ...mesh.map(({ address }) => address)]);
  return [...addresses].filter((address) => isWithinRanges(address, admin));
}
