// In: the flows that kernels remember, and what every node is to enforce before and after a change. Out: what stands on
// the word of one node alone. Pure. A receiver's kernel knows the sender's address and not its user: that it was web and
// never shop who called is what the sender says. Where the change would refuse shop, its silence is no proof.
import type { NodeObservations } from "../fleet/observations.ts";
import { type Contents, connectionsOf, type SeenConnection } from "./connections.ts";
import type { Judges } from "./content-judge.ts";
import { judgesOf, judgeWay } from "./judge-way.ts";
import type { UnknownSpan } from "./unknown-spans.ts";

export function hiddenCallers(
  observed: readonly NodeObservations[],
  before: Contents,
  after: Contents,
): UnknownSpan[] {
  const [old, now] = [judgesOf(before), judgesOf(after)];
  const ways = new Map<string, SeenConnection & { readonly told: Set<string> }>();
  for (const connection of connectionsOf(observed, before, after)) {
    const { fromNode, toNode, source, destination, protocol, port, user, via, isClaim } = connection;
    // the receiver's kernel counted it, and another node says who it was
    if (fromNode === undefined || user === undefined || via !== undefined) continue;
    if (toNode === undefined || toNode === fromNode || isClaim) continue;
    // an endpoint's own address says which service it was
    if (source !== nodeAddress(fromNode, [old, now])) continue;
    const key = [fromNode, destination, protocol, port].join(" ");
    const way = ways.get(key) ?? { ...connection, told: new Set<string>() };
    way.told.add(user);
    ways.set(key, way);
  }
  return [...ways.values()].flatMap((way) =>
    usersOf(way, [old, now])
      .filter((user) => !way.told.has(user))
      .filter((user) => judgeWay(old, way, user).passes && !judgeWay(now, way, user).passes)
      .map((user) => spanOf(way, user)),
  );
}

function nodeAddress(node: string, sides: readonly Judges[]): string | undefined {
  return sides.map((judges) => judges.get(node)?.content.address).find((address) => address !== undefined);
}

function usersOf({ fromNode }: SeenConnection, sides: readonly Judges[]): readonly string[] {
  const workloads = sides.flatMap((judges) => judges.get(fromNode ?? "")?.content.identity.workloads ?? []);
  return ["", ...new Set(workloads.map(({ user }) => user))];
}

function spanOf(
  { fromNode = "", toNode, destination, protocol, port }: SeenConnection,
  user: string,
): UnknownSpan {
  const who = user === "" ? "no other user of it" : `not ${user}`;
  return {
    node: fromNode,
    source: user === "" ? "" : `user ${user}`,
    since: undefined,
    text: `that ${who} called ${port}/${protocol} on ${toNode ?? destination} is its own word alone: UNKNOWN`,
  };
}
