// In: what kernels have counted, node by node. Out: the connections they speak of, each once, with who testifies. Pure.
// A connection between two nodes is counted at both ends: the sender's kernel knows the user, the receiver's only the
// address. What only one of the two tells is a claim. An endpoint of Cilium has an address of its own, so there even the receiver
// knows which service it was.
import type { DesiredContent, Traffic } from "@weft/shared/model/desired";
import { EndpointPlaces, type PlacedFlow, placeFlow } from "../explain/endpoint-places.ts";
import type { NodeObservations } from "../fleet/observations.ts";

export type Contents = ReadonlyMap<string, DesiredContent>;

export interface SeenConnection {
  /** undefined: no node's. */
  readonly fromNode: string | undefined;
  /** Empty: no user's name; undefined: only the receiver tells of it, so it may be anybody of the sender. */
  readonly user: string | undefined;
  readonly uid: number | undefined;
  readonly source: string;
  readonly toNode: string | undefined;
  readonly destination: string;
  /** The service, where it arrived at the address of its endpoint. */
  readonly toEndpoint: string | undefined;
  /** An endpoint asked for a node's address, though the service there has an endpoint: so it does the next time. */
  readonly isByAddress: boolean;
  /** The node that passes it on; it is judged there alone. */
  readonly via: string | undefined;
  readonly protocol: Traffic;
  readonly port: number;
  readonly lastUsed: Date;
  /** Nodes whose kernels counted it. */
  readonly witnesses: readonly string[];
  /** The other end is a node, too, and its kernel does not say so. */
  readonly isClaim: boolean;
}

interface Ground {
  readonly places: EndpointPlaces;
  readonly ofNode: ReadonlyMap<string, string>;
  readonly nodeAt: ReadonlyMap<string, string>;
  readonly before: Contents;
  readonly userOf: (node: string, service: string) => string | undefined;
}

function groundOf(before: Contents, after: Contents): Ground {
  const contents = [...after.values(), ...before.values()];
  const endpoints = contents.flatMap(({ node, cilium }) =>
    (cilium?.endpoints ?? []).map(({ address }) => [address, node] as const),
  );
  return {
    // a flow was seen with what was before
    places: new EndpointPlaces(before, after),
    ofNode: new Map(contents.map(({ node, address }) => [node, address])),
    nodeAt: new Map([...endpoints, ...contents.map(({ node, address }) => [address, node] as const)]),
    before,
    userOf: (node, service) =>
      contents
        .filter((content) => content.node === node)
        .flatMap(({ identity }) => identity.workloads)
        .find((workload) => workload.service === service)?.user,
  };
}

/** `in` and `out` of one connection meet here. */
const arrivalKey = ({ source, destination, flow: { protocol, port } }: PlacedFlow): string =>
  `${source} ${destination} ${protocol} ${port}`;

const later = (a: Date, b: Date): Date => (a > b ? a : b);

export function connectionsOf(
  observed: readonly NodeObservations[],
  before: Contents,
  after: Contents,
): SeenConnection[] {
  const ground = groundOf(before, after);
  const { places, ofNode, nodeAt } = ground;
  const placed = observed.flatMap(({ node, flows }) =>
    flows
      // what is forged goes nowhere, whatever rules say
      .filter(({ endpoint }) => endpoint?.forged !== true)
      .flatMap((flow) => placeFlow(places, node, ofNode.get(node) ?? "", flow) ?? []),
  );
  const arrivals = new Set(placed.filter(({ flow }) => flow.direction === "in").map(arrivalKey));
  const connections = new Map<string, SeenConnection>();
  const add = (connection: SeenConnection) => {
    const { fromNode, user, uid, source, toNode, destination, via, protocol, port } = connection;
    const key = [fromNode, user, uid, source, toNode, destination, via, protocol, port].join(" ");
    const known = connections.get(key);
    if (known === undefined) connections.set(key, connection);
    else connections.set(key, { ...known, lastUsed: later(known.lastUsed, connection.lastUsed) });
  };
  const told = new Set<string>();
  for (const each of placed) {
    const { node, source, destination, flow } = each;
    if (flow.direction === "in") continue;
    const toNode = nodeAt.get(destination);
    const common = commonOf(ground, each, toNode);
    if (flow.direction === "forward") {
      const ends = { fromNode: nodeAt.get(source), user: undefined, uid: undefined };
      // it speaks of others, and their own kernels are not asked
      const isClaim = [ends.fromNode, toNode].some((end) => end !== undefined && end !== node);
      add({ ...common, ...ends, via: node, witnesses: [node], isClaim });
      continue;
    }
    const key = toNode === undefined ? "" : arrivalKey(each);
    const hasArrived = arrivals.has(key);
    told.add(key);
    add({
      ...common,
      fromNode: node,
      user: flow.endpoint === undefined ? flow.user : ground.userOf(node, flow.endpoint.service),
      uid: flow.uid,
      via: undefined,
      witnesses: !hasArrived || toNode === undefined ? [node] : [...new Set([node, toNode])],
      isClaim: toNode !== undefined && toNode !== node && !hasArrived,
    });
  }
  for (const each of placed) {
    const { node, source, flow } = each;
    if (flow.direction !== "in" || told.has(arrivalKey(each))) continue;
    const fromNode = nodeAt.get(source);
    const sender = places.at(source);
    const user = sender === undefined ? undefined : ground.userOf(sender.node, sender.endpoint.service);
    const isClaim = fromNode !== undefined && fromNode !== node;
    const ends = { fromNode, user, uid: undefined, via: undefined, witnesses: [node], isClaim };
    add({ ...commonOf(ground, each, node), ...ends });
  }
  return [...connections.values()];
}

function commonOf(
  { places, before }: Ground,
  { source, destination, flow, place }: PlacedFlow,
  toNode: string | undefined,
) {
  const { protocol, port, lastSeen: lastUsed, direction } = flow;
  const toEndpoint = places.at(destination)?.endpoint.service;
  const isPublished = before
    .get(toNode ?? "")
    ?.cilium?.endpoints.some(({ ports }) =>
      ports.some((range) => range.protocol === protocol && range.from <= port && port <= range.to),
    );
  const isByAddress =
    direction === "out" && place !== undefined && toEndpoint === undefined && isPublished === true;
  return { protocol, port, source, destination, toNode, toEndpoint, isByAddress, lastUsed };
}
