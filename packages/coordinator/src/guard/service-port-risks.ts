// In: a change. Out: services that are newly declared where a guard flow ends: on a guard port, on a port of the
// coordinator, on the DNS server that nodes ask. From there on policy judges everybody who is no guard's. Pure.
import type { Endpoint, PortRange } from "@weft/shared/model/desired";
import type { Place } from "@weft/shared/model/mesh";
import { fieldPlace } from "../mesh/problem.ts";
import { formatRange, intersect } from "../mesh/selection.ts";
import type { MeshChange, MeshState, Risk, RiskCode } from "./risk.ts";

interface Claim {
  readonly code: RiskCode;
  readonly text: string;
}

const dnsPorts: readonly PortRange[] = [
  { protocol: "udp", from: 53, to: 53 },
  { protocol: "tcp", from: 53, to: 53 },
];

/** Which guard flows end on this port of the node. */
function claimsOn(node: string, endpoint: Endpoint, { mesh, contents }: MeshState): Claim[] {
  const guard = contents.get(node)?.policy.guard;
  if (guard === undefined) return [];
  const what = `${endpoint.service} takes ${formatRange(endpoint.port)} (${endpoint.portName})`;
  const onAny = (ranges: readonly PortRange[]): PortRange | undefined =>
    ranges.find((range) => intersect(range, endpoint.port) !== undefined);
  const claims: Claim[] = [];
  const guarded = onAny(guard.ports);
  if (guarded !== undefined)
    claims.push({
      code: "GUARD-PORT",
      text: `${what}, a guard port: outside the admin ranges only whom a policy names gets to ${formatRange(guarded)}`,
    });
  if (guard.isCoordinator && onAny(guard.coordinatorPorts) !== undefined)
    claims.push({
      code: "GUARD-HUB",
      text: `${what}, a port of the coordinator: no policy is asked about it, and nodes may lose their coordinator`,
    });
  if (mesh.dns.upstreams.includes(endpoint.address) && onAny(dnsPorts) !== undefined)
    claims.push({
      code: "GUARD-UPSTREAM",
      text: `${what}, and ${endpoint.address} is a DNS upstream: only whom a policy names gets an answer there`,
    });
  return claims;
}

export function servicePortRisks({ before, after }: MeshChange): Risk[] {
  return [...after.contents].flatMap(([node, { policy }]) => {
    const old = before?.contents.get(node)?.policy;
    return policy.services.flatMap((endpoint) => {
      const was = old?.services.find(({ port }) => formatRange(port) === formatRange(endpoint.port));
      // what was there already is no risk of this change
      const known = new Set(
        was === undefined || before === undefined ? [] : claimsOn(node, was, before).map(({ code }) => code),
      );
      return claimsOn(node, endpoint, after)
        .filter(({ code }) => !known.has(code))
        .map((claim) => ({ ...claim, node, place: placeOf(after, endpoint) }));
    });
  });
}

function placeOf({ mesh }: MeshState, { service, portName }: Endpoint): Place | undefined {
  const declared = mesh.services.find(({ name }) => name === service);
  return declared === undefined ? undefined : fieldPlace(declared, `ports/${portName}`);
}
