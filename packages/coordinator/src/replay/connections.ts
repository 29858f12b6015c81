// In: what kernels have counted, node by node. Out: the connections they speak of, each once, with who testifies. Pure.
// A connection between two nodes is counted at both ends: the sender's kernel knows the user, the receiver's only the
// address. What only one of the two tells is a claim.
import type { DesiredContent, Traffic } from "@weft/shared/model/desired";
import type { ObservedFlow } from "@weft/shared/model/observation";
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

interface Addresses {
  readonly ofNode: ReadonlyMap<string, string>;
  readonly nodeAt: ReadonlyMap<string, string>;
}

function addressesOf(before: Contents, after: Contents): Addresses {
  const contents = [...after.values(), ...before.values()];
  return {
    ofNode: new Map(contents.map(({ node, address }) => [node, address])),
    nodeAt: new Map(contents.map(({ node, address }) => [address, node])),
  };
}

/** `in` and `out` of one connection meet here. */
const arrivalKey = (source: string, toNode: string, { protocol, port }: ObservedFlow): string =>
  `${source} ${toNode} ${protocol} ${port}`;

const later = (a: Date, b: Date): Date => (a > b ? a : b);

export function connectionsOf(
  observed: readonly NodeObservations[],
  before: Contents,
  after: Contents,
): SeenConnection[] {
  const { ofNode, nodeAt } = addressesOf(before, after);
  const arrivals = new Map<string, Date>();
  for (const { node, flows } of observed)
    for (const flow of flows) {
      const source = flow.source ?? ofNode.get(node) ?? "";
      if (flow.direction !== "in") continue;
      const key = arrivalKey(source, node, flow);
      arrivals.set(key, later(flow.lastSeen, arrivals.get(key) ?? flow.lastSeen));
    }
  const connections = new Map<string, SeenConnection>();
  const add = (connection: SeenConnection) => {
    const { fromNode, user, uid, source, toNode, destination, via, protocol, port } = connection;
    const key = [fromNode, user, uid, source, toNode, destination, via, protocol, port].join(" ");
    const known = connections.get(key);
    if (known === undefined) connections.set(key, connection);
    else connections.set(key, { ...known, lastUsed: later(known.lastUsed, connection.lastUsed) });
  };
  const told = new Set<string>();
  for (const { node, flows } of observed)
    for (const flow of flows) {
      const own = ofNode.get(node) ?? "";
      const { protocol, port, direction } = flow;
      if (direction === "in") continue;
      const source = flow.source ?? own;
      const destination = flow.destination ?? own;
      const toNode = nodeAt.get(destination);
      const common = { protocol, port, source, destination, toNode, lastUsed: flow.lastSeen };
      if (direction === "forward") {
        const ends = { fromNode: nodeAt.get(source), user: undefined, uid: undefined };
        // it speaks of others, and their own kernels are not asked
        const isClaim = [ends.fromNode, toNode].some((end) => end !== undefined && end !== node);
        add({ ...common, ...ends, via: node, witnesses: [node], isClaim });
        continue;
      }
      const key = toNode === undefined ? "" : arrivalKey(source, toNode, flow);
      const arrived = arrivals.get(key);
      told.add(key);
      add({
        ...common,
        fromNode: node,
        user: flow.user,
        uid: flow.uid,
        via: undefined,
        witnesses: arrived === undefined || toNode === undefined ? [node] : [...new Set([node, toNode])],
        isClaim: toNode !== undefined && toNode !== node && arrived === undefined,
      });
    }
  for (const { node, flows } of observed)
    for (const flow of flows) {
      const own = ofNode.get(node) ?? "";
      const { protocol, port, direction } = flow;
      const source = flow.source ?? own;
      if (direction !== "in" || told.has(arrivalKey(source, node, flow))) continue;
      const fromNode = nodeAt.get(source);
      const { lastSeen: lastUsed } = flow;
      const ends = { fromNode, user: undefined, uid: undefined, source, toNode: node, destination: own };
      const isClaim = fromNode !== undefined && fromNode !== node;
      add({ ...ends, protocol, port, lastUsed, via: undefined, witnesses: [node], isClaim });
    }
  return [...connections.values()];
}
