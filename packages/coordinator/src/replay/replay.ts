// In: the flows that kernels remember, and what every node is to enforce before and after a change. Out: every flow
// whose verdict turns, both ways, with its last use and who saw it. Pure. What the memory cannot tell: unknown-spans.ts.
import type { DesiredContent, Origin, Traffic } from "@weft/shared/model/desired";
import type { Identity } from "../explain/identify.ts";
import type { NodeObservations } from "../fleet/observations.ts";
import { type Contents, connectionsOf, type SeenConnection } from "./connections.ts";
import { ContentJudge, type Verdict } from "./content-judge.ts";

export interface Flip {
  readonly becomes: "refused" | "allowed";
  readonly source: Identity;
  readonly destination: Identity;
  readonly protocol: Traffic;
  readonly port: number;
  /** Empty: none was declared. */
  readonly portName: string;
  readonly lastUsed: Date;
  /** Nodes whose kernels saw it. */
  readonly witnesses: readonly string[];
  /** One end says so, and the kernel of the other does not. */
  readonly isClaim: boolean;
  /** What will decide. */
  readonly by: Verdict["by"];
  readonly origin: Origin | undefined;
  /** Whose kernel will decide. */
  readonly at: string;
  /** A guard let it pass before. */
  readonly isGuard: boolean;
}

interface Judged extends Verdict {
  readonly at: string;
}

type Judges = ReadonlyMap<string, ContentJudge>;

const judgesOf = (contents: Contents): Judges =>
  new Map([...contents].map(([node, content]) => [node, new ContentJudge(content)]));

export function replay(observed: readonly NodeObservations[], before: Contents, after: Contents): Flip[] {
  const old = judgesOf(before);
  const now = judgesOf(after);
  return connectionsOf(observed, before, after)
    .flatMap((connection) => flipsOf(connection, old, now))
    .sort(
      (a, b) =>
        Number(b.becomes === "refused") - Number(a.becomes === "refused") ||
        b.lastUsed.getTime() - a.lastUsed.getTime() ||
        (keyOf(a) < keyOf(b) ? -1 : 1),
    );
}

function keyOf({ source, destination, protocol, port }: Flip): string {
  return JSON.stringify([source, destination, protocol, port]);
}

function flipsOf(connection: SeenConnection, old: Judges, now: Judges): Flip[] {
  const turned = sendersOf(connection, old, now).flatMap((user) => {
    const was = judge(old, connection, user);
    const is = judge(now, connection, user);
    return was.passes === is.passes ? [] : [{ was, is }];
  });
  // of a sender that may be anybody, a loss for one is a loss
  const chosen = turned.find(({ is }) => !is.passes) ?? turned[0];
  if (chosen === undefined) return [];
  const { was, is } = chosen;
  const { protocol, port, lastUsed, witnesses, isClaim } = connection;
  const { portName, ...destination } = targetOf(connection, [now, old]);
  return [
    {
      becomes: is.passes ? "allowed" : "refused",
      source: senderOf(connection, [now, old]),
      destination,
      protocol,
      port,
      portName,
      lastUsed,
      witnesses,
      isClaim,
      by: is.by,
      origin: is.origin,
      at: is.at,
      isGuard: was.by === "guard" && was.passes,
    },
  ];
}

/** Users it may have been: everybody who has a say on that node when the sender's kernel does not tell. */
function sendersOf({ user, fromNode, via }: SeenConnection, old: Judges, now: Judges): readonly string[] {
  if (user !== undefined) return [user];
  if (fromNode === undefined || via !== undefined) return [""];
  const workloads = [old, now].flatMap((judges) => judges.get(fromNode)?.content.identity.workloads ?? []);
  return ["", ...new Set(workloads.map((workload) => workload.user))];
}

/** The first kernel on the way that refuses, or the last that lets it pass. */
function judge(judges: Judges, connection: SeenConnection, user: string): Judged {
  const { fromNode, toNode, via, destination } = connection;
  const source = sourceIn(judges, connection);
  if (via !== undefined) {
    const verdict = judges.get(via)?.forwards(source, destination, connection);
    return { ...(verdict ?? free), at: via };
  }
  const sender = fromNode === undefined ? undefined : judges.get(fromNode);
  // an arrival is told without the address it was sent to: of the other family it was not the node's own
  const isComparable = source.includes(":") === destination.includes(":");
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

const nobody = (address: string): Identity => ({ kind: "none", name: "", node: "", address, spiffeId: "" });

function senderOf({ fromNode, user, uid, source }: SeenConnection, sides: readonly Judges[]): Identity {
  if (fromNode === undefined) return nobody(source);
  const place = { node: fromNode, address: source, spiffeId: "" };
  const contents = sides.flatMap((judges) => judges.get(fromNode)?.content ?? []);
  const workload = contents
    .flatMap((content: DesiredContent) => content.identity.workloads)
    .find((each) => user !== undefined && each.user === user);
  if (workload !== undefined)
    return { ...place, kind: "service", name: workload.service, spiffeId: workload.spiffeId };
  if (user === undefined || (user === "" && uid === undefined))
    return { ...place, kind: "node", name: fromNode };
  return { ...place, kind: "user", name: user === "" ? `uid ${uid}` : user };
}

function targetOf(
  connection: SeenConnection,
  sides: readonly Judges[],
): Identity & { readonly portName: string } {
  const { toNode, destination } = connection;
  if (toNode === undefined) return { ...nobody(destination), portName: "" };
  for (const judges of sides) {
    const judgeThere = judges.get(toNode);
    const endpoint = judgeThere?.endpoint(connection);
    if (judgeThere === undefined || endpoint === undefined) continue;
    const { service, portName } = endpoint;
    const workload = judgeThere.content.identity.workloads.find((each) => each.service === service);
    const spiffeId = workload?.spiffeId ?? "";
    return { kind: "service", name: service, node: toNode, address: destination, spiffeId, portName };
  }
  return { kind: "node", name: toNode, node: toNode, address: destination, spiffeId: "", portName: "" };
}
