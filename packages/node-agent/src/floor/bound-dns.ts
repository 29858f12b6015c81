// In: the names a node is to serve, and its floor. Out: those it may serve. Pure. The bounds on the zone itself hold
// without a floor, too: one label is a whole top-level domain, and a few zones belong to others.
import type { DesiredDns, DnsRecord } from "@weft/shared/model/desired";
import { isWithin } from "@weft/shared/render/domain-name";
import type { Floor } from "./floor.ts";
import { isWithinRanges } from "./ranges.ts";
import { builtIn, type Refusals } from "./refusals.ts";

const foreignZones = ["local", "arpa", "localhost", "onion", "invalid"];

export function boundDns(dns: DesiredDns, floor: Floor | undefined, refusals: Refusals): DesiredDns {
  if (dns.mode === "off") return dns;
  const refused = zoneRefusal(dns.zone, floor);
  if (refused !== undefined) {
    refusals.add(refused.line, refused.what);
    return { zone: dns.zone, mode: "off", upstreams: [], records: [] };
  }
  if (floor?.dns.leaveAlone !== undefined) {
    refusals.add(floor.dns.leaveAlone.line, `taking over this machine's resolver (mode: ${dns.mode})`);
    return { ...dns, mode: "off" };
  }
  return {
    ...dns,
    upstreams: boundUpstreams(dns.upstreams, floor, refusals),
    records: dns.records.filter((record) => isAllowed(record, dns.zone, floor, refusals)),
  };
}

function zoneRefusal(
  zone: string,
  floor: Floor | undefined,
): { readonly line: number; readonly what: string } | undefined {
  if (!zone.includes("."))
    return { line: builtIn, what: `zone ${zone}: every name under a top-level domain would be taken` };
  if (foreignZones.some((foreign) => isWithin(zone, foreign)))
    return { line: builtIn, what: `zone ${zone}: it has a meaning of its own` };
  const zones = floor?.dns.zones;
  if (zones !== undefined && !zones.items.some(({ value }) => isWithin(zone, value)))
    return { line: zones.line, what: `zone ${zone}; no names are served` };
  return undefined;
}

export function boundUpstreams(
  upstreams: readonly string[],
  floor: Floor | undefined,
  refusals: Refusals,
): string[] {
  return upstreams.filter((upstream) => {
    const never = floor?.egress.never?.items.find(({ value }) => isWithinRanges(upstream, [value]));
    // named for it, or at least somewhere services may go
    const bound = floor?.dns.upstreams ?? floor?.egress.to;
    const isOutside = bound !== undefined && !isWithinRanges(upstream, valuesOf(bound));
    const line = never?.line ?? (isOutside ? bound.line : undefined);
    if (line !== undefined) refusals.add(line, `upstream resolver ${upstream}`);
    return line === undefined;
  });
}

export function valuesOf<T>(list: { readonly items: readonly { readonly value: T }[] } | undefined): T[] {
  return list?.items.map(({ value }) => value) ?? [];
}

function isAllowed(record: DnsRecord, zone: string, floor: Floor | undefined, refusals: Refusals): boolean {
  const { name, type, value } = record;
  if (!isWithin(name, zone)) {
    refusals.add(builtIn, `record ${name}: it lies outside the zone ${zone}`);
    return false;
  }
  const target = type === "SRV" ? (/ (\S+?)\.?$/.exec(value)?.[1] ?? "") : undefined;
  if (target !== undefined && !isWithin(target, zone)) {
    refusals.add(builtIn, `record ${name}: its target ${target} lies outside the zone ${zone}`);
    return false;
  }
  const nodes = floor?.nodes;
  if (target !== undefined || nodes === undefined || isWithinRanges(value, valuesOf(nodes))) return true;
  refusals.add(nodes.line, `record ${name} for ${value}`);
  return false;
}
