// Observation <-> weft.v1. What a node says of its own kernel; bounded, because a node may be lying.
import type * as wire from "../gen/weft/v1/agent.ts";
import { formatCidr, parseAddress, parseCidr } from "../model/address.ts";
import type {
  Direction,
  EndpointFlow,
  FlowKind,
  Observation,
  ObservedFlow,
  SpentQuota,
} from "../model/observation.ts";
import { oneOf, present, toNumber } from "./number.ts";

const kinds: readonly FlowKind[] = ["seen", "denied", "audited"];
const directions: readonly Direction[] = ["in", "out", "forward"];
/** In one message; the rest is counted. */
export const mostFlows = 1_000;
const mostSpent = 2_048;
const longestText = 64;
const longestGap = 200;

export function encodeObservation(observation: Observation): wire.Observation {
  return {
    since: undefined,
    witness: observation.witness,
    flows: observation.flows.map((flow) => ({
      kind: flow.kind,
      direction: flow.direction,
      protocol: flow.protocol,
      port: flow.port,
      lastSeen: flow.lastSeen,
      user: flow.uid === undefined ? undefined : { uid: flow.uid, name: flow.user },
      source: flow.source ?? "",
      destination: flow.destination ?? "",
      packets: BigInt(flow.packets),
      endpoint: flow.endpoint,
    })),
    complete: observation.complete,
    fullSets: [...observation.fullSets],
    leftOut: observation.leftOut,
    memorySeconds: BigInt(observation.memorySeconds),
    spent: observation.spent.map(({ direction, source, uid, user, endpoint }) => ({
      direction,
      source: source ?? "",
      user: uid === undefined ? undefined : { uid, name: user },
      endpoint: endpoint ?? "",
    })),
    endpoints:
      observation.endpoints === undefined
        ? undefined
        : { memorySeconds: BigInt(observation.endpoints.seconds), gap: observation.endpoints.gap },
  };
}

export function decodeObservation(message: wire.Observation): Observation {
  const flows = message.flows.slice(0, mostFlows).map(decodeFlow);
  return {
    witness: message.witness.slice(0, longestText),
    flows,
    complete: message.complete,
    fullSets: message.fullSets.slice(0, 32).map((name) => name.slice(0, longestText)),
    leftOut: message.leftOut + message.flows.length - flows.length,
    memorySeconds: toNumber(message.memorySeconds, "age of the memory"),
    spent: message.spent.slice(0, mostSpent).map(decodeSpent),
    endpoints:
      message.endpoints === undefined
        ? undefined
        : {
            seconds: toNumber(message.endpoints.memorySeconds, "age of the endpoints' memory"),
            gap: message.endpoints.gap.slice(0, longestGap),
          },
  };
}

function decodeSpent({ direction, source, user, endpoint }: wire.SpentQuota): SpentQuota {
  const network = parseCidr(source);
  return {
    direction: oneOf(direction, ["in", "out"] as const, "direction"),
    source: network === undefined ? undefined : formatCidr(network),
    uid: user?.uid,
    user: (user?.name ?? "").slice(0, longestText),
    endpoint: endpoint === "" ? undefined : endpoint.slice(0, longestText),
  };
}

function decodeEndpoint({ service, identity, peer, forged }: wire.EndpointFlow): EndpointFlow {
  return {
    service: service.slice(0, longestText),
    identity,
    peer: /^[0-9a-f]{40}$/.test(peer) ? peer : "",
    forged,
  };
}

function decodeFlow(flow: wire.ObservedFlow): ObservedFlow {
  const direction = oneOf(flow.direction, directions, "direction");
  const address = (text: string) => (text === "" ? undefined : parseAddress(text));
  return {
    kind: oneOf(flow.kind, kinds, "kind of flow"),
    direction,
    // a node speaks for itself: it cannot say that another one sent something, or was sent something
    source: direction === "out" ? undefined : address(flow.source),
    destination: direction === "in" ? undefined : address(flow.destination),
    protocol: oneOf(flow.protocol, ["tcp", "udp", "icmp"] as const, "protocol"),
    port: flow.port & 0xffff,
    uid: direction === "out" ? flow.user?.uid : undefined,
    user: direction === "out" ? (flow.user?.name ?? "").slice(0, longestText) : "",
    packets: toNumber(flow.packets, "packets"),
    lastSeen: present(flow.lastSeen, "time of a flow"),
    // what a node passes on begins and ends elsewhere
    endpoint:
      flow.endpoint === undefined || direction === "forward" ? undefined : decodeEndpoint(flow.endpoint),
  };
}
