// In: the mesh, what it compiles to, and what kernels have counted. Out: flows and denials by identity. Pure.
// A connection between two nodes is counted by both kernels: the sender's knows the user, so its word is kept, and the
// receiver's makes it a flow that two testify to. Cilium at an endpoint is one more who counts, beside its node's nftables.
import { baselineName, type DesiredContent, type Origin, type Traffic } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import type { ObservedFlow } from "@weft/shared/model/observation";
import type { NodeObservations } from "../fleet/observations.ts";
import { auditedBy } from "./audited-by.ts";
import { type EndpointPlace, EndpointPlaces, type PlacedFlow, placeFlow } from "./endpoint-places.ts";
import { ruledBy } from "./endpoint-rule.ts";
import {
  addressOfNode,
  type Identity,
  identityOfAddress,
  identityOfTarget,
  identityOfUser,
} from "./identify.ts";
import { type Permission, receiving, sending } from "./permits.ts";
import { baselineLine, policyLine } from "./policy-line.ts";

export interface NamedFlow {
  readonly kind: "allowed" | "denied" | "audited";
  readonly source: Identity;
  readonly destination: Identity;
  readonly protocol: Traffic;
  readonly port: number;
  readonly portName: string;
  readonly count: number;
  readonly lastSeen: Date;
  readonly witness: string;
  /** Whose kernel counted it. */
  readonly node: string;
  /** Of a refusal: the policy of the current mesh, or undefined for the default. */
  readonly origin: Origin | undefined;
  /** A refusal, and one of its ends is a banned node. */
  readonly isBanned: boolean;
  /** A refusal of Cilium: the source address was not the endpoint's. */
  readonly isForged: boolean;
  /** Of a refusal: the line that would allow it; empty when no policy can. */
  readonly wouldAllow: string;
}

type Compiled = ReadonlyMap<string, DesiredContent>;

/** Ages come in whole seconds. */
const blurMs = 2_000;

export function namedFlows(
  mesh: Mesh,
  compiled: Compiled,
  observed: readonly NodeObservations[],
): NamedFlow[] {
  const places = new EndpointPlaces(compiled);
  const placed = observed.flatMap(({ node, flows }) => {
    const own = addressOfNode(mesh, node);
    return flows.flatMap((flow) => placeFlow(places, node, own, flow) ?? []);
  });
  const index = new Map<string, PlacedFlow>();
  // the last one is kept: an endpoint comes after its node's nftables
  for (const each of [...placed].sort((a, b) => Number(isAtEndpoint(a)) - Number(isAtEndpoint(b))))
    index.set(keyOf(each, each.flow.kind, each.flow.direction, whoOf(each)), each);
  const arrivals = (each: PlacedFlow, kind: ObservedFlow["kind"]) =>
    index.get(keyOf(each, kind, "in", undefined));
  const departures = new Set(
    placed
      .filter(({ flow }) => flow.direction === "out")
      .map((each) => keyOf(each, each.flow.kind, "in", undefined)),
  );
  const isRefused = (each: PlacedFlow): boolean => {
    const { direction, lastSeen } = each.flow;
    const inside = { ...each, source: each.place?.endpoint.address ?? each.source };
    const refusals = [
      index.get(keyOf(each, "denied", direction, whoOf(each))),
      // an endpoint's node knows it by its own address
      index.get(keyOf(direction === "out" ? inside : each, "denied", "forward", undefined)),
      arrivals(each, "denied"),
    ];
    return refusals.some(
      (refusal) => refusal !== undefined && refusal.flow.lastSeen.getTime() >= lastSeen.getTime() - blurMs,
    );
  };
  const flows = placed
    .filter((each) => {
      const { kind, direction } = each.flow;
      if (kind === "seen" && isRefused(each)) return false;
      if (direction !== "in") return true;
      const key = keyOf(each, kind, "in", undefined);
      // told by the sender's kernel, which knows more, or by the endpoint that it was led to
      return !departures.has(key) && (isAtEndpoint(each) || !isAtEndpoint(index.get(key)));
    })
    .flatMap((each) => named(mesh, compiled, places, each, arrivals(each, each.flow.kind)));
  return flows.sort((a, b) => b.lastSeen.getTime() - a.lastSeen.getTime() || b.count - a.count);
}

function keyOf(
  { source, destination, flow: { protocol, port } }: PlacedFlow,
  kind: string,
  direction: string,
  who: string | number | undefined,
): string {
  return [kind, direction, source, destination, protocol, port, who].join(" ");
}

/** Of those who send from one address. */
function whoOf({ place, flow: { direction, uid } }: PlacedFlow): string | number | undefined {
  return direction === "out" ? (place?.endpoint.service ?? uid) : undefined;
}

function isAtEndpoint(placed: PlacedFlow | undefined): boolean {
  return placed?.place !== undefined;
}

/** Of what is audited one for each policy on trial: it counts for all of them. */
function named(
  mesh: Mesh,
  compiled: Compiled,
  places: EndpointPlaces,
  placed: PlacedFlow,
  arrival: PlacedFlow | undefined,
): NamedFlow[] {
  const { node, flow, place } = placed;
  const { protocol, port, kind, direction } = flow;
  const source = senderOf(mesh, places, placed);
  const { portName, ...destination } = receiverOf(mesh, places, placed);
  const connection = {
    fromNode: source.kind === "none" ? undefined : source.node,
    user: flow.user,
    source: placed.source,
    toNode: destination.kind === "none" ? undefined : destination.node,
    destination: placed.destination,
    protocol,
    port,
  };
  const judge = direction === "out" ? sending : receiving;
  const permission =
    place === undefined
      ? judge(compiled, connection)
      : namedRefusal(ruledAt(places, placed), () => refusalThere(compiled, places, placed));
  const trials =
    kind === "audited" && place === undefined ? auditedBy(compiled, connection, node, direction) : [];
  const isForged = flow.endpoint?.forged === true;
  const target = { ...destination, portName };
  const isBeyond = place !== undefined && (isForged || isBeyondPolicies(places, placed, target));
  // the mesh may have been another when it was counted
  const decided = kind === "seen" || permission.allowed || isForged ? undefined : permission.origin;
  const origins = trials.length > 0 ? trials : [decided];
  const names = new Set(mesh.policies.map((policy) => policy.name));
  const wish = { source, destination, protocol, port, portName, action: "allow", names } as const;
  const isBaseline = kind !== "seen" && permission.origin?.policy === baselineName;
  const line = isBaseline && protocol !== "icmp" ? baselineLine(wish) : policyLine(wish);
  const bans = new Set(compiled.get(node)?.policy.guard.banned);
  const isBanned = bans.has(placed.source) || bans.has(placed.destination);
  const isDenial = (origin: Origin | undefined) =>
    mesh.policies.some(({ name, action }) => name === origin?.policy && action === "deny");
  return origins.map((origin) => ({
    kind: kind === "seen" ? "allowed" : kind,
    source,
    destination,
    protocol,
    port,
    portName,
    count: flow.packets,
    lastSeen: flow.lastSeen,
    witness: witnessesOf(placed, direction === "out" ? arrival : undefined),
    node,
    origin,
    isBanned: kind === "denied" && isBanned,
    isForged,
    // beside a policy that denies, or a ban, one that allows says nothing
    wouldAllow: kind === "seen" || isBanned || isBeyond || isDenial(origin) ? "" : (line ?? ""),
  }));
}

function witnessesOf(placed: PlacedFlow, arrival: PlacedFlow | undefined): string {
  const own = witnessOf(placed);
  if (arrival === undefined || (arrival.node === placed.node && !isAtEndpoint(arrival))) return own;
  if (isAtEndpoint(placed) !== isAtEndpoint(arrival)) return `${own} and ${witnessOf(arrival)}`;
  if (isAtEndpoint(placed)) return `Cilium at ${[...new Set([placed.node, arrival.node])].join(" and ")}`;
  return `kernels of ${placed.node} and ${arrival.node}`;
}

function witnessOf(placed: PlacedFlow): string {
  return isAtEndpoint(placed) ? `Cilium at ${placed.node}` : `kernel of ${placed.node}`;
}

function serviceAt({ node, endpoint }: EndpointPlace, address: string): Identity {
  return { kind: "service", name: endpoint.service, node, address, spiffeId: endpoint.spiffeId };
}

function senderOf(mesh: Mesh, places: EndpointPlaces, { node, source, flow, place }: PlacedFlow): Identity {
  if (flow.direction !== "out") {
    const known = places.at(source);
    return known === undefined ? identityOfAddress(mesh, source) : serviceAt(known, source);
  }
  return place === undefined ? identityOfUser(mesh, node, flow.user, flow.uid) : serviceAt(place, source);
}

function receiverOf(
  mesh: Mesh,
  places: EndpointPlaces,
  { destination, flow: { direction, protocol, port }, place }: PlacedFlow,
): Identity & { readonly portName: string } {
  const known = direction === "in" && place !== undefined ? place : places.at(destination);
  if (known === undefined) return identityOfTarget(mesh, destination, protocol, port);
  const declared = mesh.services
    .find(({ name }) => name === known.endpoint.service)
    ?.ports.find(({ range }) => range.protocol === protocol && range.from <= port && port <= range.to);
  return { ...serviceAt(known, destination), portName: declared?.name ?? "" };
}

/** By what the endpoint's node was given. */
function ruledAt(places: EndpointPlaces, { source, destination, flow, place }: PlacedFlow): Permission {
  const { direction, protocol, port } = flow;
  if (place === undefined) return { allowed: true, origin: undefined };
  const way = direction === "out" ? "egress" : "ingress";
  const address = direction === "out" ? destination : source;
  const other = places.at(address);
  // it keeps the own address to endpoints, and to its own machine
  const isHost =
    direction === "out" ? other === undefined && source === place.endpoint.address : source === destination;
  const peer = { spiffeId: other?.endpoint.spiffeId, address, isHost };
  const { passes, rule } = ruledBy(place.endpoint.rules, way, peer, { protocol, port });
  return {
    allowed: passes,
    origin: rule === undefined || rule.origin.policy === "" ? undefined : rule.origin,
  };
}

/** A policy that denies closes the sender's end without a word, and is a rule at the receiver's. */
function namedRefusal(own: Permission, there: () => Permission): Permission {
  if (own.allowed || own.origin !== undefined) return own;
  const other = there();
  return other.allowed ? own : other;
}

function refusalThere(compiled: Compiled, places: EndpointPlaces, placed: PlacedFlow): Permission {
  const { source, destination, flow, place } = placed;
  const { protocol, port, direction } = flow;
  if (direction !== "out" || place === undefined) return { allowed: true, origin: undefined };
  const other = places.at(destination);
  if (other !== undefined)
    return ruledAt(places, {
      node: other.node,
      source,
      destination,
      place: other,
      flow: { ...flow, direction: "in" },
    });
  const toNode = [...compiled.values()].find(({ address }) => address === destination)?.node;
  const connection = { fromNode: place.node, user: "", source, toNode, destination, protocol, port };
  return receiving(compiled, connection);
}

/** An endpoint's port that nobody declares, a ping to one, or one that is called by its node's address. */
function isBeyondPolicies(
  places: EndpointPlaces,
  { destination, flow: { direction } }: PlacedFlow,
  target: Identity & { readonly portName: string },
): boolean {
  if (target.kind !== "service") return false;
  const isCalledByNode =
    direction === "out" &&
    places.at(destination) === undefined &&
    places.of(target.node, target.name) !== undefined;
  return target.portName === "" || isCalledByNode;
}
