// In: the flows that kernels remember, and what every node is to enforce before and after a change. Out: every flow
// whose verdict turns, both ways, with its last use and who saw it; guard flows first. Pure. What the memory cannot
// tell: unknown-spans.ts.
import type { DesiredContent, Origin, Traffic } from "@weft/shared/model/desired";
import type { Identity } from "../explain/identify.ts";
import type { NodeObservations } from "../fleet/observations.ts";
import { type Contents, connectionsOf, type SeenConnection } from "./connections.ts";
import type { Judges, Verdict } from "./content-judge.ts";
import { judgesOf, judgeWay } from "./judge-way.ts";

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
  /** A guard let it pass so far, or it came to a guard port that no policy judged. */
  readonly isGuard: boolean;
}

export function replay(observed: readonly NodeObservations[], before: Contents, after: Contents): Flip[] {
  const old = judgesOf(before);
  const now = judgesOf(after);
  return connectionsOf(observed, before, after)
    .flatMap((connection) => flipsOf(connection, old, now))
    .sort(
      (a, b) =>
        Number(b.isGuard) - Number(a.isGuard) ||
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
    const was = judgeWay(old, connection, user);
    const is = judgeWay(now, connection, user);
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
      isGuard:
        !is.passes && (was.by === "guard" || (was.by === "unjudged" && isAtGuardPort(connection, old))),
    },
  ];
}

/** As its unit has it. */
const coordinatorUser = "weft";

function isAtGuardPort({ toNode, source, user, protocol, port }: SeenConnection, judges: Judges): boolean {
  const guard = judges.get(toNode ?? "")?.content.policy.guard;
  if (guard === undefined) return false;
  // the coordinator itself tries guard ports before each change: that is nobody's way in
  const mayBeProbe = source === guard.coordinatorAddress && (user === undefined || user === coordinatorUser);
  if (mayBeProbe) return false;
  return guard.ports.some((each) => each.protocol === protocol && each.from <= port && port <= each.to);
}

/** Users it may have been: everybody who has a say on that node when the sender's kernel does not tell. */
function sendersOf({ user, fromNode, via }: SeenConnection, old: Judges, now: Judges): readonly string[] {
  if (user !== undefined) return [user];
  if (fromNode === undefined || via !== undefined) return [""];
  const workloads = [old, now].flatMap((judges) => judges.get(fromNode)?.content.identity.workloads ?? []);
  return ["", ...new Set(workloads.map((workload) => workload.user))];
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
  const { toNode, toEndpoint, destination } = connection;
  if (toNode === undefined) return { ...nobody(destination), portName: "" };
  for (const judges of sides) {
    const judgeThere = judges.get(toNode);
    const declared = judgeThere?.endpoint(connection);
    const service = declared?.service ?? toEndpoint;
    if (judgeThere === undefined || service === undefined) continue;
    const portName = declared?.portName ?? "";
    const workload = judgeThere.content.identity.workloads.find((each) => each.service === service);
    const spiffeId = workload?.spiffeId ?? "";
    return { kind: "service", name: service, node: toNode, address: destination, spiffeId, portName };
  }
  return { kind: "node", name: toNode, node: toNode, address: destination, spiffeId: "", portName: "" };
}
