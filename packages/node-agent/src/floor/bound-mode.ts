// In: a policy that may be told to watch only. Out: one that enforces, where the floor says so. Pure.
import type { DesiredPolicy, Endpoint } from "@weft/shared/model/desired";
import type { Floor } from "./floor.ts";
import { portName } from "./ranges.ts";
import type { Refusals } from "./refusals.ts";

export function boundMode(policy: DesiredPolicy, floor: Floor, refusals: Refusals): DesiredPolicy {
  const { enforce, guardsOnlyBoot, egress } = floor;
  let bounded = policy;
  if (guardsOnlyBoot !== undefined && policy.boot === "open") {
    refusals.add(guardsOnlyBoot.line, "boot: open");
    bounded = { ...bounded, boot: "guards-only" };
  }
  if (egress.deny !== undefined && policy.egressDefault === "allow") {
    refusals.add(egress.deny.line, "egress: allow as the default");
    bounded = { ...bounded, egressDefault: "deny" };
  }
  return enforce === undefined ? bounded : enforcing(bounded, enforce.line, refusals);
}

function enforcing(policy: DesiredPolicy, line: number, refusals: Refusals): DesiredPolicy {
  if (policy.mode === "audit") refusals.add(line, "mode: audit as the default");
  const endpoint = (item: Endpoint): Endpoint => {
    if (item.mode === "enforce") return item;
    // everywhere the mesh's own default was named already
    if (policy.mode === "enforce") refusals.add(line, `audit of ${item.service} on ${portName(item.port)}`);
    return { ...item, mode: "enforce" };
  };
  const rule = <R extends DesiredPolicy["ingress"][number] | DesiredPolicy["egress"][number]>(item: R): R => {
    if (item.mode === "enforce") return item;
    if (item.action === "deny") refusals.add(line, "audit", item.origin);
    return { ...item, mode: "enforce" };
  };
  return {
    ...policy,
    mode: "enforce",
    services: policy.services.map(endpoint),
    mesh: policy.mesh.map(endpoint),
    ingress: policy.ingress.map(rule),
    egress: policy.egress.map(rule),
    forward: policy.forward.map(rule),
  };
}
