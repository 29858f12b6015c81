// In: where endpoints of Cilium are to be and which ports they are to have, and the guards of this node. Out: why not, if so.
// Pure. Holds without a floor, too: whoever gives an endpoint the address of an administrator, or the port of SSH, has taken
// the way in of the machine's operator.
import { cidrsOverlap, parseCidr } from "@weft/shared/model/address";
import type { DesiredContent, Guard, PortRange } from "@weft/shared/model/desired";
import type { DesiredCilium, DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { narrowestRangeBits, portsOfMachines, widestRangeBits } from "@weft/shared/model/endpoint-limits";
import { unusableBecause } from "@weft/shared/model/unusable-address";
import type { Floor, FloorItem } from "./floor.ts";
import { portName, portsOverlap } from "./ranges.ts";
import { builtIn } from "./refusals.ts";

export interface EndpointRefusal {
  /** Of the floor, or built in. */
  readonly line: number;
  readonly what: string;
}

/** @param content its guards as the floor lets them be, the floor's own among them */
export function rangeRefusal(
  { range, ranges }: Pick<DesiredCilium, "range" | "ranges">,
  { address, dns, policy: { guard } }: Pick<DesiredContent, "address" | "dns" | "policy">,
  floor: Floor | undefined,
): EndpointRefusal | undefined {
  if (bitsOf(ranges) < widestRangeBits || bitsOf(range) < widestRangeBits)
    return { line: builtIn, what: `endpoints of Cilium in ${ranges}: it is wider than /${widestRangeBits}` };
  if (bitsOf(range) > narrowestRangeBits)
    return {
      line: builtIn,
      what: `endpoints of Cilium in ${range}: it is narrower than /${narrowestRangeBits}`,
    };
  const taken: readonly (readonly [string, readonly string[]])[] = [
    ["an admin range", guard.admin],
    ["this node's address", [address]],
    ["the coordinator's address", [guard.coordinatorAddress]],
    ["a node's address", guard.nodeAddresses],
    ["an upstream resolver", [...guard.upstreams, ...dns.upstreams]],
  ];
  for (const block of [ranges, range]) {
    const why = unusableBecause(block);
    if (why !== undefined) return { line: builtIn, what: `endpoints of Cilium in ${block}: it holds ${why}` };
    for (const [name, others] of taken) {
      const other = others.find((each) => cidrsOverlap(each, block));
      if (other === undefined) continue;
      const own = floor?.guard.admin?.items.find(({ value }) => value === other);
      return {
        line: own?.line ?? builtIn,
        what: `endpoints of Cilium in ${block}: it overlaps ${other}, ${name}`,
      };
    }
  }
  return undefined;
}

export function portRefusal(
  { service, ports }: Pick<DesiredEndpoint, "service" | "ports">,
  guard: Guard,
  floor: Floor | undefined,
): EndpointRefusal | undefined {
  const kept: readonly (FloorItem<PortRange> & { readonly why: string })[] = [
    ...(floor?.guard.ports?.items ?? []).map((item) => ({ ...item, why: "a guard port" })),
    ...portsOfMachines.map((value) => ({ value, line: builtIn, why: "the machine's own" })),
    ...guardsIn(guard).map((value) => ({ value, line: builtIn, why: "a guard port" })),
  ];
  for (const port of ports) {
    const taken = kept.find(({ value }) => portsOverlap(value, port));
    if (taken !== undefined)
      return {
        line: taken.line,
        what: `${portName(port)} led to the endpoint of ${service}: ${portName(taken.value)} is ${taken.why}`,
      };
  }
  return undefined;
}

/** Without an administrator a port is nobody's guard (the mesh file may say so, too). */
function guardsIn({ admin, ports, isCoordinator, coordinatorPorts }: Guard): PortRange[] {
  return [...(admin.length === 0 ? [] : ports), ...(isCoordinator ? coordinatorPorts : [])];
}

function bitsOf(range: string): number {
  return parseCidr(range)?.bits ?? 0;
}
