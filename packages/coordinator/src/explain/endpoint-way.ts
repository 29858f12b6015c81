// In: what each node is to be, and the two ends of a connection. Out: which of them are endpoints of Cilium, and by which
// addresses the connection is made and judged. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import type { Mesh } from "@weft/shared/model/mesh";
import { type AskedPort, type Endpoint, serviceEnd } from "./endpoints.ts";

/** By node. */
export type EndpointContents = ReadonlyMap<string, Pick<DesiredContent, "address" | "cilium">>;

export interface EndpointWay {
  readonly sender: DesiredEndpoint | undefined;
  readonly receiver: DesiredEndpoint | undefined;
  /** From one endpoint to another, by their own addresses: so each knows the other by its identity. */
  readonly isDirect: boolean;
  /** As the sender has it. */
  readonly source: string;
  /** As the receiver sees it: what an endpoint sends to anybody but an endpoint leaves with its node's address. */
  readonly seenSource: string;
  /** What the sender connects to. */
  readonly destination: string;
}

/** @param via the node that forwards for the source; empty: none */
export function endpointWay(
  contents: EndpointContents,
  from: Endpoint,
  to: Endpoint,
  port: AskedPort,
  via: string,
): EndpointWay {
  const [own, other] = [from.identity, to.identity];
  const sender = via === "" ? endpointOf(contents, from) : undefined;
  const named = endpointOf(contents, to);
  const isDirect = sender !== undefined && named !== undefined;
  // an endpoint that asks for its own node's address comes to the node itself: nothing is published to endpoints there
  const isAtNode = sender !== undefined && own.node === other.node;
  const receiver = isDirect ? named : isAtNode ? undefined : publishedAt(contents, to, port);
  const behind = via === "" ? undefined : contents.get(via)?.address;
  return {
    sender,
    receiver,
    isDirect,
    source: sender?.address ?? own.address,
    seenSource: isDirect || isAtNode ? (sender?.address ?? own.address) : (behind ?? own.address),
    destination: isDirect ? named.address : other.address,
  };
}

/** Whose endpoint has that address. */
export function endAt(mesh: Mesh, contents: EndpointContents, address: string): Endpoint | undefined {
  for (const [node, { cilium }] of contents) {
    const found = cilium?.endpoints.find((endpoint) => endpoint.address === address);
    const service = mesh.services.find(({ name }) => name === found?.service);
    if (service !== undefined) return serviceEnd(mesh, service, node);
  }
  return undefined;
}

function endpointsOn(contents: EndpointContents, node: string): readonly DesiredEndpoint[] {
  return contents.get(node)?.cilium?.endpoints ?? [];
}

function endpointOf(contents: EndpointContents, end: Endpoint): DesiredEndpoint | undefined {
  return endpointsOn(contents, end.identity.node).find(({ service }) => service === end.service?.name);
}

/** At the address of its node. */
function publishedAt(
  contents: EndpointContents,
  { identity: { node, address } }: Endpoint,
  { protocol, port }: AskedPort,
): DesiredEndpoint | undefined {
  if (contents.get(node)?.address !== address) return undefined;
  return endpointsOn(contents, node).find(({ ports }) =>
    ports.some((range) => range.protocol === protocol && range.from <= port && port <= range.to),
  );
}
