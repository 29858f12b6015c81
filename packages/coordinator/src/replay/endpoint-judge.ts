// In: what the nodes of both ends are to enforce, and a connection of which an end is an endpoint of Cilium. Out: what becomes of it
// at each end that is one, by the rules that are given there, and at nftables where it meets them. Pure. Which ends are endpoints
// is a matter of the state that is judged, not of the one in which the connection was seen: a name leads to an endpoint as soon as
// both ends are one, and to the node's address else (explain/endpoint-way.ts).
import type { DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { type EndpointPeer, ruledBy } from "../explain/endpoint-rule.ts";
import type { SeenConnection } from "./connections.ts";
import type { ContentJudge, Judged, Judges, Verdict } from "./content-judge.ts";

export interface EndpointEnds {
  readonly sender: DesiredEndpoint | undefined;
  readonly receiver: DesiredEndpoint | undefined;
}

/** undefined: neither end is one. */
export function endpointEnds(
  judges: Judges,
  connection: SeenConnection,
  user: string,
): EndpointEnds | undefined {
  const { fromNode, toNode, toEndpoint, destination, protocol, port, via } = connection;
  // judged where it is passed on
  if (via !== undefined) return undefined;
  const own = fromNode === undefined ? undefined : judges.get(fromNode)?.content;
  const service = own?.identity.workloads.find((workload) => workload.user === user)?.service;
  const sender = own?.cilium?.endpoints.find((each) => each.service === service);
  const other = toNode === undefined ? undefined : judges.get(toNode)?.content;
  const published = other?.cilium?.endpoints.find(({ ports }) =>
    ports.some((range) => range.protocol === protocol && range.from <= port && port <= range.to),
  );
  const named = other?.cilium?.endpoints.find((each) => each.service === toEndpoint);
  // to the address of its own machine nothing is published to an endpoint
  const isAtNode = sender !== undefined && fromNode === toNode && connection.isByAddress;
  const receiver = isAtNode || destination === "" ? undefined : (named ?? published);
  return sender === undefined && receiver === undefined ? undefined : { sender, receiver };
}

export function judgeEndpoints(
  judges: Judges,
  connection: SeenConnection,
  user: string,
  { sender, receiver }: EndpointEnds,
): Judged {
  const { fromNode = "", toNode, isByAddress } = connection;
  const [from, to] = [judges.get(fromNode), toNode === undefined ? undefined : judges.get(toNode)];
  const isDirect = sender !== undefined && receiver !== undefined && !isByAddress;
  const isLocal = fromNode === toNode;
  const address = isDirect ? receiver.address : (to?.content.address ?? connection.destination);
  const whole: Judged[] = [];
  if (sender !== undefined) {
    const peer = {
      spiffeId: isDirect ? receiver.spiffeId : undefined,
      address,
      isHost: isLocal && !isDirect,
    };
    whole.push({ ...ruled(sender, "egress", peer, connection), at: fromNode });
  } else if (from !== undefined) whole.push({ ...from.sends(user, address, connection), at: fromNode });
  const seenSource = sourceAt(from, connection, sender, isDirect || isLocal);
  if (!isDirect && to !== undefined) whole.push({ ...to.receives(seenSource, connection), at: toNode ?? "" });
  if (receiver !== undefined) {
    const peer = {
      spiffeId: isDirect ? sender.spiffeId : undefined,
      address: seenSource,
      isHost: isLocal && !isDirect,
    };
    whole.push({ ...ruled(receiver, "ingress", peer, connection), at: toNode ?? "" });
  }
  const said = whole.filter(({ by }) => by !== "unjudged");
  const refusals = whole.filter(({ passes }) => !passes);
  // a policy that denies closes both ends, and is named at the one where it is a rule
  return (
    refusals.find(({ by }) => by === "policy") ??
    refusals[0] ??
    said.at(-1) ??
    whole[0] ?? { ...free, at: fromNode }
  );
}

const free: Verdict = { passes: true, by: "unjudged", origin: undefined };

/** What an endpoint sends to others leaves with its node's address. */
function sourceAt(
  from: ContentJudge | undefined,
  { source }: SeenConnection,
  sender: DesiredEndpoint | undefined,
  keepsOwn: boolean,
): string {
  if (sender !== undefined && keepsOwn) return sender.address;
  return from?.content.address ?? source;
}

function ruled(
  endpoint: DesiredEndpoint,
  direction: "egress" | "ingress",
  peer: EndpointPeer,
  { protocol, port }: SeenConnection,
): Verdict {
  const { passes, rule } = ruledBy(endpoint.rules, direction, peer, { protocol, port });
  if (rule !== undefined && rule.origin.policy !== "") return { passes, by: "policy", origin: rule.origin };
  return passes ? free : { passes, by: "default", origin: undefined };
}
