// In: what every node is to enforce, and a connection. Out: what becomes of it on its way, and on which node. Pure.
import type { Contents, SeenConnection } from "./connections.ts";
import { ContentJudge, type Judged, type Judges, type Verdict } from "./content-judge.ts";
import { endpointEnds, judgeEndpoints } from "./endpoint-judge.ts";

export const judgesOf = (contents: Contents): Judges =>
  new Map([...contents].map(([node, content]) => [node, new ContentJudge(content)]));

/** The first kernel on the way that refuses, or the last that lets it pass. */
export function judgeWay(judges: Judges, connection: SeenConnection, user: string): Judged {
  const { fromNode, toNode, via, toEndpoint } = connection;
  const ends = endpointEnds(judges, connection, user);
  if (ends !== undefined) return judgeEndpoints(judges, connection, user, ends);
  const source = sourceIn(judges, connection);
  // an endpoint that there is not any more was a service of its node, and is one again
  const atNode = toEndpoint === undefined ? undefined : judges.get(toNode ?? "")?.content.address;
  const destination = atNode ?? connection.destination;
  if (via !== undefined) {
    const verdict = judges.get(via)?.forwards(source, destination, connection);
    return { ...(verdict ?? free), at: via };
  }
  const sender = fromNode === undefined ? undefined : judges.get(fromNode);
  // an arrival is told without the address it was sent to: of the other family it was not the node's own. What the
  // sender's kernel tells is sent, from whichever address.
  const isComparable = connection.user !== undefined || source.includes(":") === destination.includes(":");
  const sent = isComparable ? sender?.sends(user, destination, connection) : undefined;
  if (sent !== undefined && !sent.passes) return { ...sent, at: fromNode ?? "" };
  const receiver = toNode === undefined ? undefined : judges.get(toNode);
  const received = receiver?.receives(source, connection);
  if (received !== undefined && (!received.passes || received.by !== "unjudged"))
    return { ...received, at: toNode ?? "" };
  return { ...(sent ?? received ?? free), at: fromNode ?? toNode ?? "" };
}

const free: Verdict = { passes: true, by: "unjudged", origin: undefined };

/** A node that gets another address sends from there. */
function sourceIn(judges: Judges, { fromNode, source, user }: SeenConnection): string {
  const content = fromNode === undefined ? undefined : judges.get(fromNode)?.content;
  return content !== undefined && user !== undefined ? content.address : source;
}
