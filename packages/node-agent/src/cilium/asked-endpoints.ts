// In: a question about a connection, and the endpoints that this node was given. Out: those it begins or ends at, and from where
// Cilium judges it. Pure.
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import type { KernelQuestion } from "@weft/shared/model/observation";

export interface AskedEndpoint {
  readonly endpoint: DesiredEndpoint;
  readonly direction: "ingress" | "egress";
  /** Address of the other end. */
  readonly peer: string;
}

export function askedEndpoints(
  desired: Pick<DesiredState, "address" | "cilium"> | undefined,
  { source, destination, protocol, port }: KernelQuestion,
): AskedEndpoint[] {
  const endpoints = desired?.cilium?.endpoints ?? [];
  const sender = endpoints.find(({ address }) => address === source);
  // what an endpoint sends to the node's address is not published to others (render/endpoints-table.ts)
  const published = (endpoint: DesiredEndpoint): boolean =>
    destination === desired?.address &&
    sender === undefined &&
    endpoint.ports.some((range) => range.protocol === protocol && range.from <= port && port <= range.to);
  const receiver = endpoints.find((endpoint) => endpoint.address === destination || published(endpoint));
  // it stays in the namespace
  if (sender === receiver) return [];
  return [
    ...(sender === undefined ? [] : [{ endpoint: sender, direction: "egress", peer: destination } as const]),
    ...(receiver === undefined ? [] : [{ endpoint: receiver, direction: "ingress", peer: source } as const]),
  ];
}
