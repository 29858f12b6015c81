// In: a valid mesh and one of its services. Out: who may, or may not, open which of its ports. Pure.
// A port is cut where policies begin and end, so that within a segment one answer holds for each source.
import { covers } from "@weft/shared/model/address";
import type { Action, Endpoint, Mode, Origin, PortRange } from "@weft/shared/model/desired";
import type { Mesh, MeshNode, MeshPolicy, MeshService, ServicePort } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { intersect, selectedRanges, selectedServices } from "../mesh/selection.ts";

export type Source =
  /** The service's instance on one node. */
  | { readonly kind: "service"; readonly service: MeshService; readonly node: MeshNode }
  /** Any process of the node. */
  | { readonly kind: "node"; readonly node: MeshNode }
  | { readonly kind: "cidr"; readonly cidr: string };

export interface Grant {
  readonly port: PortRange;
  readonly source: Source;
  readonly action: Action;
  readonly mode: Mode;
  readonly origin: Origin;
  /** Nothing else at the source's address is allowed: the address itself can be refused. */
  readonly soleAtAddress: boolean;
}

/** A policy with its selectors resolved. */
export interface ResolvedPolicy {
  readonly policy: MeshPolicy;
  readonly mode: Mode;
  readonly origin: Origin;
  readonly services: readonly MeshService[];
  readonly nodes: readonly MeshNode[];
  readonly cidrs: readonly string[];
  readonly to: ReadonlySet<string>;
}

/** In order of name: which of several policies is named as the origin does not depend on the file's order. */
export function resolvePolicies(mesh: Mesh): ResolvedPolicy[] {
  const nodes = new Map(mesh.nodes.map((node) => [node.name, node]));
  return [...mesh.policies]
    .sort((a, b) => byText(a.name, b.name))
    .map((policy) => {
      const fromNodes = policy.from.flatMap((selector) => {
        const node = selector.kind === "node" ? nodes.get(selector.name) : undefined;
        return node === undefined ? [] : [node];
      });
      return {
        policy,
        mode: policy.mode ?? mesh.defaults.mode,
        origin: { policy: policy.name, file: policy.place.file, line: policy.place.line },
        services: [...new Set(policy.from.flatMap((selector) => selectedServices(mesh, selector)))],
        nodes: [...new Set(fromNodes)],
        cidrs: [
          ...new Set(policy.from.flatMap((selector) => (selector.kind === "cidr" ? [selector.cidr] : []))),
        ],
        to: new Set(
          policy.to.flatMap((selector) => selectedServices(mesh, selector)).map(({ name }) => name),
        ),
      };
    });
}

/** Audit while there are policies that open the port and all of them are in audit; the mesh's mode if there is none. */
export function portMode(port: ServicePort, policies: readonly ResolvedPolicy[], fallback: Mode): Mode {
  const opening = policies.filter(
    ({ policy }) => policy.action === "allow" && selectedRanges(policy, port).length > 0,
  );
  if (opening.length === 0) return fallback;
  return opening.every(({ mode }) => mode === "audit") ? "audit" : "enforce";
}

/** The grants on one port of a service; `policies` are those that lead to the service. */
export function grantsOn(
  nodes: ReadonlyMap<string, MeshNode>,
  port: ServicePort,
  policies: readonly ResolvedPolicy[],
  endpointMode: Endpoint["mode"],
): Grant[] {
  const covering = policies.map((resolved) => ({ resolved, ranges: selectedRanges(resolved.policy, port) }));
  const grants = segments(
    port.range,
    covering.flatMap(({ ranges }) => ranges),
  ).flatMap((segment) => {
    const here = covering
      .filter(({ ranges }) => ranges.some((range) => intersect(range, segment) !== undefined))
      .map(({ resolved }) => resolved);
    return here.length === 0 ? [] : segmentGrants(segment, here, nodes, endpointMode);
  });
  return joinSegments(grants);
}

/** The pieces of `whole` between the ends of `parts`. */
function segments(whole: PortRange, parts: readonly PortRange[]): PortRange[] {
  const starts = new Set([whole.from, ...parts.flatMap(({ from, to }) => [from, to + 1])]);
  const sorted = [...starts].filter((port) => port >= whole.from && port <= whole.to).sort((a, b) => a - b);
  return sorted.map((from, index) => ({
    protocol: whole.protocol,
    from,
    to: (sorted[index + 1] ?? whole.to + 1) - 1,
  }));
}

function segmentGrants(
  port: PortRange,
  policies: readonly ResolvedPolicy[],
  nodes: ReadonlyMap<string, MeshNode>,
  endpointMode: Mode,
): Grant[] {
  const allows = policies.filter(({ policy }) => policy.action === "allow");
  const denies = policies.filter(({ policy }) => policy.action === "deny");
  const enforced = denies.filter(({ mode }) => mode === "enforce");
  const refusedNode = (node: MeshNode) =>
    enforced.some(
      (deny) => deny.nodes.includes(node) || deny.cidrs.some((cidr) => covers(cidr, node.address)),
    );
  const refusedService = (service: MeshService) => enforced.some((deny) => deny.services.includes(service));
  const instances = (service: MeshService) =>
    service.nodes.flatMap((name) => {
      const node = nodes.get(name);
      return node === undefined ? [] : [node];
    });
  const openAddresses = new Set<string>();
  const grants: Omit<Grant, "soleAtAddress">[] = [];
  const seen = new Set<string>();
  // policies come in order of name, so the first to speak for a source is its origin
  const add = (key: string, source: Source, { policy, mode, origin }: ResolvedPolicy) => {
    const whole = `${policy.action} ${policy.action === "deny" ? mode : ""} ${key}`;
    if (seen.has(whole)) return;
    seen.add(whole);
    grants.push({ port, source, action: policy.action, mode, origin });
    if (policy.action === "allow" && source.kind !== "cidr") openAddresses.add(source.node.address);
  };
  for (const resolved of [...denies, ...allows]) {
    const isAllow = resolved.policy.action === "allow";
    for (const service of resolved.services)
      for (const node of instances(service))
        if (!isAllow || (!refusedService(service) && !refusedNode(node)))
          add(`service ${service.name} ${node.name}`, { kind: "service", service, node }, resolved);
    for (const node of resolved.nodes)
      if (!isAllow || !refusedNode(node)) add(`node ${node.name}`, { kind: "node", node }, resolved);
    for (const cidr of resolved.cidrs) add(`cidr ${cidr}`, { kind: "cidr", cidr }, resolved);
  }
  return grants.map((grant) => ({
    ...grant,
    // in audit others at the address pass, so it cannot be refused for one service's sake
    soleAtAddress:
      grant.source.kind !== "cidr" &&
      endpointMode === "enforce" &&
      !openAddresses.has(grant.source.node.address),
  }));
}

function keyOf({ source, action, mode, origin, soleAtAddress }: Grant): string {
  const who =
    source.kind === "cidr"
      ? source.cidr
      : source.kind === "node"
        ? `node ${source.node.name}`
        : `service ${source.service.name} ${source.node.name}`;
  return JSON.stringify([who, action, mode, origin.policy, soleAtAddress]);
}

/** Segments that touch and say the same become one again. */
function joinSegments(grants: readonly Grant[]): Grant[] {
  const byKey = new Map<string, Grant[]>();
  for (const grant of grants) {
    const key = keyOf(grant);
    const joined = byKey.get(key) ?? [];
    const last = joined.at(-1);
    if (last !== undefined && last.port.to + 1 === grant.port.from)
      joined[joined.length - 1] = { ...last, port: { ...last.port, to: grant.port.to } };
    else joined.push(grant);
    byKey.set(key, joined);
  }
  return [...byKey.values()].flat();
}
