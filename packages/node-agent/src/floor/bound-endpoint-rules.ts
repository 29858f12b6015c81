// In: what an endpoint of Cilium may send and receive, and the floor. Out: what of it may be. Pure. nftables judges what
// comes by the node's address; between endpoints, and on the way out, Cilium alone does, so the floor's words are said to
// it as well. A rule that opens more than a port the floor shuts is refused whole: Cilium has no rule but that one.
import type { CiliumPeer, CiliumRule } from "@weft/shared/model/cilium-policy";
import type { DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { floorPath } from "@weft/shared/model/floor";
import { valuesOf } from "./bound-dns.ts";
import type { Floor, FloorItem, Ranges } from "./floor.ts";
import { isWithinRanges, partsWithin, portName, portsOverlap } from "./ranges.ts";
import type { Refusals } from "./refusals.ts";

export function boundEndpointRules(
  endpoint: DesiredEndpoint,
  floor: Floor,
  refusals: Refusals,
): DesiredEndpoint {
  const never = (floor.egress.never?.items ?? []).filter(({ value }) => !value.includes(":"));
  return {
    ...endpoint,
    rules: [
      ...never.map(shutDestination),
      ...endpoint.rules.flatMap((rule) =>
        rule.action === "deny" ? [rule] : boundAllow(rule, floor, refusals),
      ),
    ],
  };
}

function shutDestination({ value, line }: FloorItem<string>): CiliumRule {
  return {
    direction: "egress",
    action: "deny",
    peer: { kind: "range", cidr: value, except: [] },
    ports: undefined,
    origin: { policy: "floor", file: floorPath, line },
    because: "",
  };
}

function boundAllow(rule: CiliumRule, floor: Floor, refusals: Refusals): CiliumRule[] {
  const { direction, peer, ports, origin } = rule;
  const { nodes } = floor;
  if (peer.kind === "node" && nodes !== undefined && !isWithinRanges(peer.address, valuesOf(nodes))) {
    refusals.add(nodes.line, `${peer.node} at ${peer.address}`, origin);
    return [];
  }
  if (direction === "ingress") {
    const shut = floor.ingress.never?.items.find(
      ({ value }) => ports === undefined || ports.some((port) => portsOverlap(value, port)),
    );
    if (shut === undefined) return boundRange(rule, peer, floor.ingress.from, refusals);
    refusals.add(shut.line, `${portName(shut.value)} opened`, origin);
    return [];
  }
  if (peer.kind === "range" && origin.policy === "" && floor.egress.deny !== undefined) {
    refusals.add(floor.egress.deny.line, "egress: allow as the default of an endpoint");
    return [];
  }
  return boundRange(rule, peer, floor.egress.to, refusals);
}

/** Of a range that is too wide, what lies within stays. */
function boundRange(
  rule: CiliumRule,
  peer: CiliumPeer,
  bound: Ranges | undefined,
  refusals: Refusals,
): CiliumRule[] {
  if (bound === undefined || peer.kind !== "range") return [rule];
  const parts = partsWithin(peer.cidr, valuesOf(bound));
  if (parts.includes(peer.cidr)) return [rule];
  refusals.add(bound.line, `${rule.direction === "ingress" ? "from" : "to"} ${peer.cidr}`, rule.origin);
  return parts.map((cidr) => ({ ...rule, peer: { ...peer, cidr } }));
}
