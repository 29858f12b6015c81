// In: what a coordinator wants of this node, and the node's floor. Out: what of it may be, and what was refused, line by
// line. Pure. Without a floor only the bounds hold that are built in.
import type { DesiredContent, DesiredPolicy, Guard } from "@weft/shared/model/desired";
import type { FloorRefusal } from "@weft/shared/model/floor";
import { boundDns } from "./bound-dns.ts";
import { boundGuard } from "./bound-guard.ts";
import { boundMode } from "./bound-mode.ts";
import { boundNodes } from "./bound-nodes.ts";
import { boundPeople } from "./bound-people.ts";
import { boundWays } from "./bound-ways.ts";
import type { Floor } from "./floor.ts";
import { Refusals } from "./refusals.ts";

export interface Floored {
  readonly content: DesiredContent;
  readonly refusals: readonly FloorRefusal[];
  readonly leftOut: number;
}

export function applyFloor(wanted: DesiredContent, floor: Floor | undefined): Floored {
  const refusals = new Refusals();
  let content: DesiredContent = { ...wanted, dns: boundDns(wanted.dns, floor, refusals) };
  if (floor !== undefined) {
    content = boundPeople(content, floor, refusals);
    let { policy } = content;
    policy = boundMode(policy, floor, refusals);
    policy = boundNodes(policy, floor, refusals);
    policy = boundGuard(policy, floor, refusals);
    content = boundWays({ ...content, policy }, floor, refusals);
  }
  return { content, ...refusals.list() };
}

/**
 * How each part of a policy is bounded. Whoever adds a field to the wire says it here: what is not looked at is what a
 * stolen coordinator would use.
 */
export const boundedBy = {
  enforcement: "one value",
  services: "users, units; a claim only closes, and ingress.judged keeps it",
  ingress: "ingress.never, ingress.from, nodes, users, units",
  mesh: "nodes; a claim only closes",
  egress: "egress.never, egress.to, nodes, users",
  forward: "forward.from",
  guard: "see Guard",
  egressDefault: "egress.default",
  mode: "mode",
  boot: "boot",
} as const satisfies Record<keyof DesiredPolicy, string>;

export const guardBoundedBy = {
  admin: "guard.admin, guard.atMost.admin, ingress.from",
  ports: "guard.ports, guard.atMost.ports, ingress.never",
  coordinatorAddress: "coordinator.addresses, egress.to, egress.never",
  coordinatorPorts: "coordinator.here",
  isCoordinator: "coordinator.here",
  nodeAddresses: "nodes; guard.admin admits them all the same",
  upstreams: "dns.upstreams, egress.to, egress.never",
} as const satisfies Record<keyof Guard, string>;
