// In: what a coordinator wants of this node, and the node's floor. Out: what of it may be, and what was refused, line by
// line. Pure. Without a floor only the bounds hold that are built in.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { FloorRefusal } from "@weft/shared/model/floor";
import { boundCilium } from "./bound-cilium.ts";
import { boundDns } from "./bound-dns.ts";
import { boundEtcd } from "./bound-etcd.ts";
import { boundGuard } from "./bound-guard.ts";
import { boundMode } from "./bound-mode.ts";
import { boundNodes } from "./bound-nodes.ts";
import { boundPeople } from "./bound-people.ts";
import { boundUndeclared } from "./bound-undeclared.ts";
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
    policy = boundUndeclared(policy, floor, refusals);
    content = boundWays({ ...content, policy }, floor, refusals);
  }
  if (wanted.cilium !== undefined || wanted.policy.endpoints !== undefined)
    content = boundCilium(content, floor, refusals);
  content = boundEtcd(content, floor, refusals);
  return { content, ...refusals.list() };
}
