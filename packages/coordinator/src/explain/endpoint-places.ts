// In: what nodes are to be, and a flow that one of them counted. Out: the endpoints of Cilium by address and by service, and the
// addresses that the flow has for everybody who counts it. Pure. An endpoint is known by its own address to other endpoints
// and to its own node; all others see its node's: what it sends leaves with that, and what is sent there is led to it.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import type { ObservedFlow } from "@weft/shared/model/observation";
import { routerAddress } from "@weft/shared/render/cilium-places";

type Contents = ReadonlyMap<string, Pick<DesiredContent, "address" | "cilium">>;

export interface EndpointPlace {
  readonly node: string;
  readonly endpoint: DesiredEndpoint;
}

export class EndpointPlaces {
  readonly #byAddress = new Map<string, EndpointPlace>();
  readonly #byService = new Map<string, EndpointPlace>();

  /** Of several states the first that has it. */
  constructor(...states: readonly Contents[]) {
    for (const contents of [...states].reverse())
      for (const [node, { cilium }] of contents)
        for (const endpoint of cilium?.endpoints ?? []) {
          this.#byAddress.set(endpoint.address, { node, endpoint });
          this.#byService.set(`${node} ${endpoint.service}`, { node, endpoint });
        }
  }

  at(address: string): EndpointPlace | undefined {
    return this.#byAddress.get(address);
  }

  of(node: string, service: string): EndpointPlace | undefined {
    return this.#byService.get(`${node} ${service}`);
  }
}

export interface PlacedFlow {
  readonly node: string;
  /** As whoever it arrives at sees it. */
  readonly source: string;
  readonly destination: string;
  readonly flow: ObservedFlow;
  /** Where it was counted, if that is an endpoint. */
  readonly place: EndpointPlace | undefined;
}

/** @param own the node's address @returns undefined: of an endpoint that there is not any more */
export function placeFlow(
  places: EndpointPlaces,
  node: string,
  own: string,
  flow: ObservedFlow,
): PlacedFlow | undefined {
  const { direction, endpoint } = flow;
  const [source, destination] = [flow.source ?? own, flow.destination ?? own];
  if (endpoint === undefined) return { node, source, destination, flow, place: undefined };
  const place = places.of(node, endpoint.service);
  if (place === undefined) return undefined;
  const inside = place.endpoint.address;
  const told = direction === "in" ? source : destination;
  const peer = told === routerAddress ? own : told;
  const isEndpoint = places.at(peer) !== undefined;
  if (direction === "in") return { node, source: peer, destination: isEndpoint ? inside : own, flow, place };
  // what goes to its own machine is not rewritten; a forged packet goes nowhere
  const keepsSource = isEndpoint || peer === own || endpoint.forged;
  return { node, source: keepsSource ? inside : own, destination: peer, flow, place };
}
