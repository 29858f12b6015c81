// In: what a service's endpoint may send and receive. Out: its CiliumNetworkPolicy file. Pure; same input, same bytes.
// JSON, which is YAML: nothing needs escaping. One rule for each policy of the mesh file, so that each says whose it is.

import { covers, familyOf } from "../model/address.ts";
import type { CiliumEndpoint, CiliumPeer, CiliumPolicyFile, CiliumRule } from "../model/cilium-policy.ts";
import type { PortRange } from "../model/desired.ts";
import { canonicalText } from "../plan/canonical.ts";
import { byText } from "../plan/text-order.ts";
import { ciliumNamespace, spiffeSelector } from "./cilium-labels.ts";

/** An agent takes no more under one `ports` (1.18.10, pkg/policy/api/rule_validation.go). */
const mostPorts = 40;

type Json = Readonly<Record<string, unknown>>;
type Section = "ingress" | "ingressDeny" | "egress" | "egressDeny";

export function renderCiliumPolicy({ mesh, service, spiffeId, rules }: CiliumEndpoint): CiliumPolicyFile {
  const endpointSelector = spiffeSelector(spiffeId);
  const name = `weft-${service}`;
  const closed = {
    description: `service ${service} (${spiffeId}): nothing passes that no rule below lets pass`,
    endpointSelector,
    enableDefaultDeny: { egress: true, ingress: true },
    egress: [{}],
    ingress: [{}],
  };
  const byOrigin = new Map<string, CiliumRule[]>();
  for (const rule of rules) {
    const key = originText(rule);
    byOrigin.set(key, [...(byOrigin.get(key) ?? []), rule]);
  }
  const specs = [...byOrigin]
    .sort(([a], [b]) => byText(a, b))
    .map(([origin, own]) => ({
      description: `${origin}${addressNote(own)}`,
      endpointSelector,
      ...sectionsOf(own),
    }));
  const file = {
    apiVersion: "cilium.io/v2",
    kind: "CiliumNetworkPolicy",
    metadata: { name, namespace: ciliumNamespace(mesh) },
    specs: [closed, ...specs],
  };
  return { name: ciliumPolicyName(service), text: `${jsonText(file)}\n` };
}

/** Of its file. */
export function ciliumPolicyName(service: string): string {
  return `weft-${service}.yaml`;
}

/** As it is YAML as well: that takes none of the control characters that JSON lets pass, and knows more ends of lines. */
function jsonText(value: unknown): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, undefined, 2).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    escaped,
  );
}

function originText({ origin, because }: CiliumRule): string {
  const said = origin.policy === "" ? because : `policy ${origin.policy}`;
  return origin.file === "" ? said : `${said} (${origin.file}:${origin.line})`;
}

/** Whoever is known by an address alone may be any process there. */
function addressNote(rules: readonly CiliumRule[]): string {
  const names = rules.flatMap(({ direction, action, peer }) =>
    direction === "ingress" && action === "allow" && peer.kind === "node" ? [peer.node] : [],
  );
  if (names.length === 0) return "";
  return `; strength address, so any process of: ${[...new Set(names)].sort(byText).join(", ")}`;
}

/** Peers of one kind with the same ports stand in one rule. */
function sectionsOf(rules: readonly CiliumRule[]): Json {
  const sections = new Map<Section, Map<string, CiliumRule[]>>();
  for (const rule of rules) {
    const section: Section = rule.action === "allow" ? rule.direction : `${rule.direction}Deny`;
    const groups = sections.get(section) ?? new Map<string, CiliumRule[]>();
    sections.set(section, groups);
    const key = canonicalText([fieldOf(rule.peer), portsOf(rule.ports)]);
    groups.set(key, [...(groups.get(key) ?? []), rule]);
  }
  return Object.fromEntries(
    [...sections]
      .sort(([a], [b]) => byText(a, b))
      .map(([section, groups]) => [
        section,
        [...groups].sort(([a], [b]) => byText(a, b)).map(([, group]) => ruleOf(group)),
      ]),
  );
}

function ruleOf(group: readonly CiliumRule[]): Json {
  const [first] = group;
  if (first === undefined) return {};
  const peers = new Map(
    group.flatMap(({ peer }) => peersOf(peer)).map((value) => [canonicalText(value), value]),
  );
  const ports = portsOf(first.ports);
  return {
    [`${first.direction === "ingress" ? "from" : "to"}${fieldOf(first.peer)}`]: [...peers]
      .sort(([a], [b]) => byText(a, b))
      .map(([, value]) => value),
    ...(ports === undefined ? {} : { toPorts: chunks(ports).map((each) => ({ ports: each })) }),
  };
}

function fieldOf(peer: CiliumPeer): string {
  if (peer.kind === "service") return "Endpoints";
  if (peer.kind === "host") return "Entities";
  return peer.kind === "node" ? "CIDR" : "CIDRSet";
}

function peersOf(peer: CiliumPeer): unknown[] {
  if (peer.kind === "service") return [spiffeSelector(peer.spiffeId)];
  if (peer.kind === "host") return ["host"];
  if (peer.kind === "node") return [prefixed(peer.address)];
  return halvesOf(peer.cidr).map((cidr) => {
    const except = [...new Set(peer.except.filter((part) => covers(cidr, part)).map(prefixed))].sort(byText);
    return { cidr: prefixed(cidr), ...(except.length === 0 ? {} : { except }) };
  });
}

/** The whole of a family, for an agent that has one family alone, is the world of both (1.18.10, pkg/policy/api/cidr.go). */
function halvesOf(cidr: string): string[] {
  if (cidr === "0.0.0.0/0") return ["0.0.0.0/1", "128.0.0.0/1"];
  return cidr === "::/0" ? ["::/1", "8000::/1"] : [cidr];
}

/** An agent takes an address without /32 in one field and not in another. */
function prefixed(addressOrCidr: string): string {
  if (addressOrCidr.includes("/")) return addressOrCidr;
  return `${addressOrCidr}/${familyOf(addressOrCidr) === 4 ? 32 : 128}`;
}

function portsOf(ports: readonly PortRange[] | undefined): Json[] | undefined {
  if (ports === undefined) return undefined;
  const sorted = [...ports].sort((a, b) => byText(a.protocol, b.protocol) || a.from - b.from || a.to - b.to);
  return sorted.map(({ protocol, from, to }) => ({
    port: String(from),
    ...(to === from ? {} : { endPort: to }),
    protocol: protocol.toUpperCase(),
  }));
}

function chunks(ports: readonly Json[]): Json[][] {
  const parts: Json[][] = [];
  for (let start = 0; start < ports.length; start += mostPorts)
    parts.push(ports.slice(start, start + mostPorts));
  return parts;
}
