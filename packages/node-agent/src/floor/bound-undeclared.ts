// In: what a policy says of ports that no service declares, and of ping; and the floor. Out: what of it may be. Pure.
import type { Baseline, BaselineAllowance, DesiredPolicy, PingRule } from "@weft/shared/model/desired";
import { floorPath } from "@weft/shared/model/floor";
import { valuesOf } from "./bound-dns.ts";
import { onlyText } from "./bound-guard.ts";
import type { Floor } from "./floor.ts";
import { isWithinRanges, partsWithin, portName } from "./ranges.ts";
import type { Refusals } from "./refusals.ts";

export function boundUndeclared(policy: DesiredPolicy, floor: Floor, refusals: Refusals): DesiredPolicy {
  const bounded: DesiredPolicy = {
    ...policy,
    ping: policy.ping?.flatMap((rule) =>
      rule.action === "deny"
        ? [enforced(rule, floor, refusals)]
        : boundSources(rule, "ping", floor, refusals),
    ),
  };
  const baseline = heldBaseline(policy.baseline, floor, refusals);
  if (baseline === undefined) return bounded;
  const allow = baseline.allow.flatMap((rule) =>
    boundSources(rule, rule.port === undefined ? "ping" : portName(rule.port), floor, refusals),
  );
  return { ...bounded, baseline: { ...enforced(baseline, floor, refusals), allow } };
}

/** Without one, what no service declares is as open as the machine leaves it. */
function heldBaseline(
  baseline: Baseline | undefined,
  floor: Floor,
  refusals: Refusals,
): Baseline | undefined {
  const { closed } = floor.ingress;
  if (baseline !== undefined || closed === undefined) return baseline;
  refusals.add(closed.line, "ports that no service declares left open; they stay closed");
  return { mode: "enforce", origin: { policy: "floor", file: floorPath, line: closed.line }, allow: [] };
}

function enforced<R extends Baseline | PingRule>(rule: R, { enforce }: Floor, refusals: Refusals): R {
  if (enforce === undefined || rule.mode === "enforce") return rule;
  refusals.add(enforce.line, "audit", rule.origin);
  return { ...rule, mode: "enforce" };
}

function boundSources<R extends BaselineAllowance | PingRule>(
  rule: R,
  what: string,
  { nodes, ingress }: Floor,
  refusals: Refusals,
): R[] {
  const { from, source, origin } = rule;
  const isName = from !== source && from !== "any";
  if (isName && nodes !== undefined && !isWithinRanges(source, valuesOf(nodes))) {
    refusals.add(nodes.line, `${from} at ${source}`, origin);
    return [];
  }
  if (ingress.from === undefined) return [rule];
  const parts = partsWithin(source, valuesOf(ingress.from));
  if (parts.includes(source)) return [rule];
  refusals.add(ingress.from.line, `from ${source} to ${what}${onlyText(parts)}`, origin);
  return parts.map((part) => ({ ...rule, source: part, from: from === source ? part : from }));
}
