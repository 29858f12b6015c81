// In: where a coordinator says that mesh nodes, and it itself, are. Out: what of it the floor lets it say. Pure. An
// address that counts as a node's opens ways a CIDR does not (forwarding, the coordinator's own ports).
import type { DesiredPolicy } from "@weft/shared/model/desired";
import { boundUpstreams, valuesOf } from "./bound-dns.ts";
import type { Floor } from "./floor.ts";
import { isWithinPorts, isWithinRanges, portName } from "./ranges.ts";
import type { Refusals } from "./refusals.ts";

export function boundNodes(policy: DesiredPolicy, floor: Floor, refusals: Refusals): DesiredPolicy {
  const { nodes } = floor;
  const isElsewhere = (address: string) => nodes !== undefined && !isWithinRanges(address, valuesOf(nodes));
  const refuse = (
    what: string,
    ...more: Parameters<Refusals["add"]> extends [unknown, unknown, ...infer R] ? R : never
  ) => refusals.add(nodes?.line ?? 0, what, ...more);
  const guard = boundCoordinator(policy.guard, floor, refusals);
  return {
    ...policy,
    mesh: policy.mesh.filter(({ address, node, service }) => {
      if (!isElsewhere(address)) return true;
      refuse(`service ${service} of node ${node} at ${address}`);
      return false;
    }),
    ingress: policy.ingress.filter(({ action, from, source, origin }) => {
      if (action === "deny" || from === source || !isElsewhere(source)) return true;
      refuse(`${from} at ${source}`, origin);
      return false;
    }),
    egress: policy.egress.filter(({ action, to, destination, origin }) => {
      if (action === "deny" || to === destination || !isElsewhere(destination)) return true;
      refuse(`${to} at ${destination}`, origin);
      return false;
    }),
    guard: {
      ...guard,
      upstreams: boundUpstreams(guard.upstreams, floor, refusals),
      nodeAddresses: guard.nodeAddresses.filter((address) => {
        if (!isElsewhere(address)) return true;
        refuse(`a node at ${address}`);
        return false;
      }),
    },
  };
}

type Guard = DesiredPolicy["guard"];
const nobody = "127.0.0.1";

/** Its ports come before every other rule, and one of them is open to all: only this machine can say that it is here. */
function boundCoordinator(guard: Guard, floor: Floor, refusals: Refusals): Guard {
  const { addresses, here } = floor.coordinator;
  const never = floor.egress.never?.items.find(({ value }) =>
    isWithinRanges(guard.coordinatorAddress, [value]),
  );
  const bound = addresses ?? floor.nodes ?? floor.egress.to;
  const isElsewhere = bound !== undefined && !isWithinRanges(guard.coordinatorAddress, valuesOf(bound));
  const line = never?.line ?? (isElsewhere ? bound.line : undefined);
  if (line !== undefined) {
    refusals.add(line, `a coordinator at ${guard.coordinatorAddress}`);
    // its address opens guard ports, too: that of nobody from outside is put in its place
    return { ...guard, isCoordinator: false, coordinatorAddress: nobody, coordinatorPorts: [] };
  }
  if (!guard.isCoordinator) return guard;
  const foreign = guard.coordinatorPorts.filter((port) => !isWithinPorts(port, valuesOf(here)));
  if (here !== undefined && foreign.length === 0) return guard;
  refusals.add(here?.line ?? 1, `the coordinator on this node, at ${foreign.map(portName).join(", ")}`);
  return { ...guard, isCoordinator: false };
}
