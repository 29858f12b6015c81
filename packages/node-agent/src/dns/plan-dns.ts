// In: what this node should serve, what is in place, and how its resolver may be taken over. Out: the steps between,
// none when nothing differs; and the conditions to report. Pure.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { DesiredContent, DesiredDns } from "@weft/shared/model/desired";
import type { Step } from "@weft/shared/model/step";
import { corefilePath, renderCorefile, zoneFilePath } from "@weft/shared/render/corefile";
import { renderZone, serialOf } from "@weft/shared/render/zone";
import { unitNames } from "../state/places.ts";
import type { DnsDecision } from "./decide-dns-mode.ts";
import { type DnsObserved, takeoverInForce } from "./observe-dns.ts";

/** CoreDNS runs as a user of its own. */
const readableByAll = 0o644;
const serialSpace = 0xffff_ffff;

/** @param serial for a zone that differs from the file; any number that grows, such as seconds since 1970 */
export function planDns(
  desired: DesiredContent,
  observed: DnsObserved,
  decision: DnsDecision,
  serial: number,
): Step[] {
  const { dns } = desired;
  const givesBack = needsGiveBack(observed, decision);
  const give: Step[] = givesBack ? [{ kind: "giveResolver", args: {} }] : [];
  if (dns.mode === "off") return [...give, ...removal(observed)];
  return [
    // first, so that no name is asked of a resolver that is about to change
    ...give,
    ...serving(desired, observed, decision, serial),
    ...taking(desired, observed, decision, givesBack),
  ];
}

export function dnsConditions(
  observed: DnsObserved,
  decision: DnsDecision,
): { code: ConditionCode; detail: string }[] {
  const conditions: { code: ConditionCode; detail: string }[] = [];
  if (decision.condition !== undefined) conditions.push({ code: decision.condition, detail: decision.why });
  if (observed.resolvConf.kind === "foreign")
    conditions.push({ code: "DNS_DRIFTED", detail: observed.resolvConf.what });
  else if (observed.resolvConf.kind === "edited")
    conditions.push({ code: "DNS_DRIFTED", detail: "/etc/resolv.conf was edited after Weft wrote it" });
  return conditions;
}

/** A name that must resolve once the zone is served: the node's own, or any that has an address. */
export function probeName(node: string, dns: DesiredDns): string | undefined {
  const named = dns.records.filter((record) => record.type !== "SRV").map((record) => record.name);
  const own = `${node}.node.${dns.zone}`;
  return named.includes(own) ? own : named.sort()[0];
}

function needsGiveBack(observed: DnsObserved, decision: DnsDecision): boolean {
  const taken =
    observed.original !== undefined || observed.link.exists || observed.resolvConf.kind === "edited";
  if (!taken || decision.keep) return false;
  // a link without its record is a leftover; so is an edited file of ours with no record
  const mode = observed.original?.mode;
  return decision.mode === "off" || mode !== decision.mode;
}

/** With the evidence inconclusive, what is in force stays as it is: so does what the Corefile forwards. */
function forwards(observed: DnsObserved, decision: DnsDecision): readonly string[] | "as it is" {
  return decision.keep && observed.original?.mode === "file" ? "as it is" : decision.upstreams;
}

function serving(
  { dns, address, cilium }: DesiredContent,
  observed: DnsObserved,
  decision: DnsDecision,
  serial: number,
): Step[] {
  const upstreams = forwards(observed, decision);
  const endpoints =
    cilium === undefined
      ? undefined
      : { address, range: cilium.range, upstreams: decision.endpointUpstreams };
  const steps: Step[] = [];
  if (!observed.componentPresent) steps.push({ kind: "fetchComponent", args: { component: "coredns" } });
  const zonePath = zoneFilePath(dns.zone);
  const current = observed.zoneFiles.find((file) => file.path === zonePath)?.text;
  const zone = zoneText(dns, current, serial);
  if (zone !== current)
    steps.push({ kind: "writeFile", args: { path: zonePath, mode: readableByAll, text: zone } });
  const corefile =
    upstreams === "as it is" && observed.corefile !== undefined
      ? observed.corefile
      : renderCorefile(dns.zone, upstreams === "as it is" ? [] : upstreams, endpoints);
  const changed = corefile !== observed.corefile;
  if (changed)
    steps.push({ kind: "writeFile", args: { path: corefilePath, mode: readableByAll, text: corefile } });
  // a changed zone is read by its new serial; only the Corefile needs a restart
  const restart = changed || !observed.componentPresent;
  if (restart || !observed.unit.enabled || observed.unit.active !== "active")
    steps.push({ kind: "enableUnit", args: { unit: unitNames.dns, restart } });
  for (const file of observed.zoneFiles)
    if (file.path !== zonePath) steps.push({ kind: "removeFile", args: { path: file.path } });
  return steps;
}

/** The file as it is when it says the same; otherwise with a serial that it did not have before. */
function zoneText(dns: DesiredDns, current: string | undefined, serial: number): string {
  const before = current === undefined ? undefined : serialOf(current);
  if (before !== undefined && before >= 1 && before <= serialSpace) {
    const same = renderZone(dns.zone, dns.records, before);
    if (same === current) return same;
  }
  const next = before === undefined ? serial : Math.max(serial, before + 1);
  return renderZone(dns.zone, dns.records, ((next - 1) % serialSpace) + 1);
}

function taking(
  desired: DesiredContent,
  observed: DnsObserved,
  decision: DnsDecision,
  givenBack: boolean,
): Step[] {
  const probe = probeName(desired.node, desired.dns);
  if (decision.mode === "off" || probe === undefined) return [];
  // what somebody else wrote there since is theirs: a condition says so
  const drifted = observed.resolvConf.kind === "foreign" || observed.resolvConf.kind === "edited";
  if (decision.mode === "file" && drifted && !givenBack) return [];
  const sameZone = observed.original?.zone === desired.dns.zone;
  if (!givenBack && sameZone && takeoverInForce(observed) === decision.mode) return [];
  const { mode, upstreams } = decision;
  return [{ kind: "takeResolver", args: { mode, zone: desired.dns.zone, upstreams, probe } }];
}

function removal(observed: DnsObserved): Step[] {
  const steps: Step[] = [];
  if (observed.unit.enabled || observed.unit.active === "active")
    steps.push({ kind: "disableUnit", args: { unit: unitNames.dns } });
  const paths = observed.zoneFiles.map((file) => file.path);
  if (observed.corefile !== undefined) paths.unshift(corefilePath);
  return [...steps, ...paths.map((path): Step => ({ kind: "removeFile", args: { path } }))];
}
