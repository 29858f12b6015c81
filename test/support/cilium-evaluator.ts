// In: the policy files of one node as text, an endpoint there, and one connection. Out: whether Cilium 1.18 lets it pass, in that
// one direction. Written from what Cilium's source means by a policy, and sharing nothing with what renders or checks files:
// an endpoint that a rule with a direction selects is closed there; what denies wins; a range of length 0 is all addresses; peers are known by labels, or, without an
// endpoint, by address, other nodes and the own host included (policy-cidr-match-mode=nodes).
import { parse } from "yaml";
import { inside } from "./mesh-words.ts";

export type Peer =
  | { readonly kind: "endpoint"; readonly labels: readonly string[] }
  /** The machine the files are on. */
  | { readonly kind: "host"; readonly address: string }
  | { readonly kind: "address"; readonly address: string };

export interface Tried {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
}
interface Range {
  readonly cidr: string;
  readonly except?: readonly string[];
}
interface Port {
  readonly port: string;
  readonly endPort?: number;
  readonly protocol: string;
}
interface Rule {
  readonly toPorts?: readonly { readonly ports: readonly Port[] }[];
  readonly [peers: string]: unknown;
}
interface Spec {
  readonly endpointSelector: Selector;
  readonly enableDefaultDeny?: { readonly ingress?: boolean; readonly egress?: boolean };
  readonly ingress?: readonly Rule[];
  readonly ingressDeny?: readonly Rule[];
  readonly egress?: readonly Rule[];
  readonly egressDeny?: readonly Rule[];
}
interface Policy {
  readonly metadata: { readonly namespace: string };
  readonly spec?: Spec;
  readonly specs?: readonly Spec[];
}

const namespaceKey = "k8s:io.kubernetes.pod.namespace";

export class CiliumEvaluator {
  readonly #policies: readonly Policy[];

  constructor(texts: readonly string[]) {
    this.#policies = texts.map((text) => parse(text) as Policy);
  }

  passes(direction: "ingress" | "egress", endpoint: readonly string[], peer: Peer, tried: Tried): boolean {
    let closed = false;
    let allowed = false;
    for (const { metadata, spec, specs = [] } of this.#policies)
      for (const each of spec === undefined ? specs : [spec]) {
        const { namespace } = metadata;
        if (!selects(each.endpointSelector, endpoint, namespace)) continue;
        const allow = each[direction] ?? [];
        const deny = each[`${direction}Deny`] ?? [];
        if (each.enableDefaultDeny?.[direction] ?? allow.length + deny.length > 0) closed = true;
        if (deny.some((rule) => covers(rule, direction, peer, tried, namespace))) return false;
        if (allow.some((rule) => covers(rule, direction, peer, tried, namespace))) allowed = true;
      }
    return allowed || !closed;
  }
}

/** A policy of a namespace speaks of endpoints of that namespace. */
function selects({ matchLabels = {} }: Selector, labels: readonly string[], namespace: string): boolean {
  const wanted = { [namespaceKey]: namespace, ...matchLabels };
  return Object.entries(wanted).every(([key, value]) => labels.includes(`${key}=${value}`));
}

function covers(
  rule: Rule,
  direction: "ingress" | "egress",
  peer: Peer,
  { protocol, port }: Tried,
  namespace: string,
): boolean {
  const word = direction === "ingress" ? "from" : "to";
  const list = (field: string) => (rule[`${word}${field}`] ?? []) as readonly unknown[];
  const hasPeers = ["Endpoints", "CIDR", "CIDRSet", "Entities"].some(
    (field) => rule[`${word}${field}`] !== undefined,
  );
  const ports = rule.toPorts?.flatMap((each) => each.ports);
  // a rule of nothing lets nothing pass; ports alone are ports of everybody
  if (!hasPeers && ports === undefined) return false;
  const isPort =
    ports === undefined ||
    ports.some(
      (each) =>
        (each.protocol === "ANY" || each.protocol === protocol.toUpperCase()) &&
        Number(each.port) <= port &&
        port <= (each.endPort ?? Number(each.port)),
    );
  if (!isPort) return false;
  if (!hasPeers) return true;
  if (peer.kind === "endpoint")
    return (list("Endpoints") as readonly Selector[]).some((each) => selects(each, peer.labels, namespace));
  return (
    (peer.kind === "host" && list("Entities").includes("host")) ||
    (list("CIDR") as readonly string[]).some((cidr) => isIn(cidr, peer.address)) ||
    (list("CIDRSet") as readonly Range[]).some(
      ({ cidr, except = [] }) =>
        isIn(cidr, peer.address) && !except.some((part) => inside(part, peer.address)),
    )
  );
}

/** For an agent with one family alone, 0.0.0.0/0 and ::/0 are the world, whatever its family. */
function isIn(cidr: string, address: string): boolean {
  return cidr.endsWith("/0") || inside(cidr, address);
}
