// In: the ways a policy opens in, out and through, and the floor. Out: those within it, and what holds the rest shut
// whatever a mesh leaves out. Pure. What the floor shuts is written as rules of its own, first in their sets, with the
// floor's line: so the kernel, `weft denials` and `weft why` name it.
import type {
  DesiredContent,
  EgressRule,
  Endpoint,
  IngressRule,
  PortRange,
} from "@weft/shared/model/desired";
import { floorPath } from "@weft/shared/model/floor";
import { valuesOf } from "./bound-dns.ts";
import { onlyText } from "./bound-guard.ts";
import type { Floor, FloorItem, Ranges } from "./floor.ts";
import { isWithinPorts, isWithinRanges, partsWithin, portName, portsOverlap } from "./ranges.ts";
import type { Refusals } from "./refusals.ts";

const everywhere = ["0.0.0.0/0", "::/0"];
const originAt = (line: number) => ({ policy: "floor", file: floorPath, line });

export function boundWays(content: DesiredContent, floor: Floor, refusals: Refusals): DesiredContent {
  const { policy } = content;
  const { never, judged } = floor.ingress;
  for (const { action, port, origin } of policy.ingress) {
    const shut = never?.items.find(({ value }) => portsOverlap(value, port));
    if (action === "allow" && shut !== undefined)
      refusals.add(shut.line, `${portName(shut.value)} opened`, origin);
  }
  const left = (judged?.items ?? []).filter(
    ({ value }) => !policy.services.some(({ port }) => isWithinPorts(value, [port])),
  );
  for (const { value, line } of left) refusals.add(line, `${portName(value)} left out; it stays closed`);
  return {
    ...content,
    policy: {
      ...policy,
      services: [
        ...policy.services,
        ...[...(never?.items ?? []), ...left].map(({ value }) => claim(content, value)),
      ],
      ingress: [
        ...policy.ingress.flatMap((rule) => boundSource(rule, floor.ingress.from, refusals)),
        ...(never?.items ?? []).flatMap(shutPort),
      ],
      forward: policy.forward.flatMap((rule) => boundSource(rule, floor.forward.from, refusals)),
      egress: [
        ...policy.egress.flatMap((rule) => boundDestination(rule, floor, refusals)),
        ...(floor.egress.never?.items ?? []).flatMap(shutDestination),
      ],
    },
    identity: heldUsers(content.identity, floor),
  };
}

function claim({ node, address }: DesiredContent, port: PortRange): Endpoint {
  return { service: "floor", node, address, portName: "closed", port, user: "", mode: "enforce" };
}

function shutPort({ value, line }: FloorItem<PortRange>): IngressRule[] {
  return everywhere.map((source) => ({
    service: "",
    port: value,
    action: "deny",
    mode: "enforce",
    from: source,
    source,
    strength: "address",
    origin: originAt(line),
  }));
}

/** For any process of this node, named by the mesh or not. */
function shutDestination({ value, line }: FloorItem<string>): EgressRule[] {
  return (["tcp", "udp"] as const).map((protocol) => ({
    service: "",
    user: "",
    to: value,
    destination: value,
    port: { protocol, from: 1, to: 65535 },
    action: "deny",
    mode: "enforce",
    origin: originAt(line),
  }));
}

function boundSource(rule: IngressRule, bound: Ranges | undefined, refusals: Refusals): IngressRule[] {
  if (bound === undefined || rule.action === "deny") return [rule];
  const parts = partsWithin(rule.source, valuesOf(bound));
  if (parts.includes(rule.source)) return [rule];
  const named = rule.from === rule.source ? rule.source : `${rule.from} (${rule.source})`;
  refusals.add(bound.line, `from ${named} to ${portName(rule.port)}${onlyText(parts)}`, rule.origin);
  return parts.map((source) => ({ ...rule, source, from: rule.from === rule.source ? source : rule.from }));
}

function boundDestination(rule: EgressRule, { egress }: Floor, refusals: Refusals): EgressRule[] {
  if (rule.action === "deny") return [rule];
  const named = rule.to === rule.destination ? rule.to : `${rule.to} (${rule.destination})`;
  const never = egress.never?.items.find(({ value }) => isWithinRanges(rule.destination, [value]));
  if (never !== undefined) {
    refusals.add(never.line, `to ${named}`, rule.origin);
    return [];
  }
  if (egress.to === undefined) return [rule];
  const parts = partsWithin(rule.destination, valuesOf(egress.to));
  if (parts.includes(rule.destination)) return [rule];
  refusals.add(egress.to.line, `to ${named}${onlyText(parts)}`, rule.origin);
  return parts.map((destination) => ({
    ...rule,
    destination,
    to: rule.to === rule.destination ? destination : rule.to,
  }));
}

/** A user the floor names is judged on its way out, though a mesh does not name it any more. */
function heldUsers(identity: DesiredContent["identity"], floor: Floor): DesiredContent["identity"] {
  if (floor.egress.deny === undefined || floor.users === undefined) return identity;
  const named = new Set(identity.workloads.map(({ user }) => user));
  const missing = valuesOf(floor.users).filter((user) => !named.has(user));
  return {
    ...identity,
    workloads: [
      ...identity.workloads,
      ...missing.map((user) => ({ service: "floor", spiffeId: "", user, unit: undefined })),
    ],
  };
}
