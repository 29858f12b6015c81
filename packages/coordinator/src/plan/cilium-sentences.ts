// In: what Cilium is to do on one node, before and after. Out: plain sentences about what changes there. Pure.
import type { CiliumRule } from "@weft/shared/model/cilium-policy";
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DesiredCilium, DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { canonicalText } from "@weft/shared/plan/canonical";
import { byText } from "@weft/shared/plan/text-order";
import { listed } from "./etcd-sentences.ts";

type Side = Pick<DesiredContent, "cilium" | "etcdCluster">;

/** @param node what the mesh file calls it: the way back is written there */
export function ciliumSentences(node: string, old: Side | undefined, now: Side | undefined): string[] {
  const [before, after] = [old?.cilium, now?.cilium];
  if (before === undefined && after === undefined) return [];
  if (before === undefined || after === undefined) return [moved(node, before, after)];
  const known = new Map(before.endpoints.map((endpoint) => [endpoint.service, endpoint]));
  const services = new Set(after.endpoints.map(({ service }) => service));
  return [
    ...etcdSentence(etcdOf(before, old), etcdOf(after, now)),
    ...emptySentence(old, now),
    ...sharedSentences(before, after),
    ...after.endpoints.flatMap((endpoint) => endpointSentences(known.get(endpoint.service), endpoint)),
    ...before.endpoints
      .filter(({ service }) => !services.has(service))
      .map(
        ({ service, address, unit }) =>
          `${service} loses its endpoint of Cilium at ${address} and its network namespace; ${unit} is restarted without it`,
      ),
  ];
}

function moved(node: string, before: DesiredCilium | undefined, after: DesiredCilium | undefined): string {
  const endpoints = (after ?? before)?.endpoints ?? [];
  const names = listed(endpoints.map(({ service, unit }) => `${service} (${unit})`));
  const [what, verb, way] =
    after === undefined
      ? ["nftables enforces alone, Cilium goes", "lose", "cilium, with a range"]
      : ["Cilium enforces on top of nftables", "get", "nftables, without a range"];
  const done =
    endpoints.length === 1
      ? `${names} ${verb}s its network namespace and is restarted for it`
      : `${names} each ${verb} a network namespace and are restarted for it`;
  const said = endpoints.length === 0 ? "no service is here" : done;
  return `${what}: ${said}; the way back: nodes.${node}.enforcement: ${way}`;
}

function sharedSentences(before: DesiredCilium, after: DesiredCilium): string[] {
  return [
    ...(before.range === after.range
      ? []
      : [`endpoints of Cilium have addresses of ${after.range}, before: ${before.range}`]),
    ...(before.ranges === after.ranges
      ? []
      : [`what endpoints send to ${after.ranges} keeps its source address, before: ${before.ranges}`]),
  ];
}

function etcdSentence(before: string, after: string): string[] {
  return before === after ? [] : [`the Cilium agent restarts and uses the etcd ${after}, before: ${before}`];
}

/** A member takes over from another; where none stays there is nobody to take over from. */
function emptySentence(old: Side | undefined, now: Side | undefined): string[] {
  const [before, after] = [old, now].map((side) => side?.etcdCluster?.members.map(({ node }) => node) ?? []);
  if (before === undefined || after === undefined || before.length === 0 || after.length === 0) return [];
  return before.some((node) => after.includes(node))
    ? []
    : [
        "that etcd begins empty, since no member of it stays: first add the new members, then take out the old ones",
      ];
}

function etcdOf({ etcd }: DesiredCilium, side: Side | undefined): string {
  if (etcd === undefined)
    return `of the mesh on ${listed(side?.etcdCluster?.members.map(({ node }) => node).toSorted(byText) ?? [])}`;
  const { members, ca, certificate, key } = etcd;
  const files = Object.entries({ ca, certificate, key }).flatMap(([what, path]) =>
    path === undefined ? [] : [`${what} ${path}`],
  );
  return [members.join(" "), ...files].join(", ");
}

function endpointSentences(before: DesiredEndpoint | undefined, after: DesiredEndpoint): string[] {
  const { service, address, unit } = after;
  if (before === undefined)
    return [
      `${service} gets an endpoint of Cilium at ${address}: ${unit} gets a network namespace and is restarted for it`,
    ];
  const policies = changedPolicies(before.rules, after.rules);
  return [
    ...(before.address === address
      ? []
      : [
          `the endpoint of ${service} moves from ${before.address} to ${address}: ${unit} is restarted for it`,
        ]),
    ...(before.unit === unit
      ? []
      : [
          `the network namespace of ${service} is for ${unit} instead of ${before.unit}: both are restarted for it`,
        ]),
    ...(policies.length === 0
      ? []
      : [`what Cilium lets ${service} receive and send changes (${policies.join(", ")})`]),
  ];
}

/** Of what is in one and not in the other; a line that moves changes nothing. */
function changedPolicies(before: readonly CiliumRule[], after: readonly CiliumRule[]): string[] {
  const [old, now] = [keyed(before), keyed(after)];
  const changed = [
    ...[...old].filter(([key]) => !now.has(key)),
    ...[...now].filter(([key]) => !old.has(key)),
  ];
  return [...new Set(changed.map(([, rule]) => saidBy(rule)))].sort(byText);
}

function keyed(rules: readonly CiliumRule[]): ReadonlyMap<string, CiliumRule> {
  return new Map(
    rules.map((rule) => [canonicalText({ ...rule, origin: rule.origin.policy }), rule] as const),
  );
}

function saidBy({ origin, because }: CiliumRule): string {
  return origin.policy === "" ? because : `policy ${origin.policy}`;
}
