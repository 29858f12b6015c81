// In: what nodes are to be, and what was heard of Cilium at their endpoints. Out: in words, what may be missing of it, and where
// Cilium takes an address for somebody else than the mesh file has there. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import type { SpentQuota } from "@weft/shared/model/observation";
import { byText } from "@weft/shared/plan/text-order";
import { spiffeHash } from "@weft/shared/render/cilium-labels";
import type { NodeObservations } from "../fleet/observations.ts";
import { EndpointPlaces, placeFlow } from "./endpoint-places.ts";

type Compiled = ReadonlyMap<string, Pick<DesiredContent, "address" | "cilium">>;

/** Refusals are kept that long: what was not heard before is forgotten elsewhere, too. */
const keptMs = 3600_000;
/** Who has to read more does not read them. */
const mostNamed = 8;

/** What its list of refusals and flows lacks. */
export function unheardTexts(compiled: Compiled, observed: NodeObservations, now: Date): string[] {
  const { node, endpoints, spent } = observed;
  if ((compiled.get(node)?.cilium?.endpoints.length ?? 0) === 0) return [];
  return [...gapTexts(node, endpoints, now), ...spentTexts(node, spent)];
}

function gapTexts(node: string, endpoints: NodeObservations["endpoints"], now: Date): string[] {
  if (endpoints === undefined) return [`${node} has told nothing of its endpoints: UNKNOWN`];
  const { since, gap } = endpoints;
  if (since === undefined)
    return [`${node}: what Cilium does at its endpoints is not heard now (${gap}): UNKNOWN`];
  if (now.getTime() - since.getTime() >= keptMs) return [];
  const from = `${since.toISOString().slice(0, 19)}Z`;
  return [`${node}: what Cilium did at its endpoints before ${from} is not listed in full (${gap}): UNKNOWN`];
}

function spentTexts(node: string, spent: readonly SpentQuota[]): string[] {
  return spent
    .filter(
      ({ uid, endpoint, direction }) => uid === undefined && (direction === "in" || endpoint !== undefined),
    )
    .slice(0, mostNamed)
    .map(({ endpoint, source }) => {
      const who = endpoint === undefined ? source : `the endpoint of ${endpoint}`;
      return `${node}: of ${who} more was seen than is remembered of one source: what is not listed is UNKNOWN`;
    });
}

/** An address that was another's, a key in etcd that is stale, or somebody who writes there. */
export function identityTexts(
  mesh: Mesh,
  compiled: Compiled,
  observed: readonly NodeObservations[],
): { readonly node: string; readonly text: string }[] {
  const places = new EndpointPlaces(compiled);
  const byHash = new Map(mesh.services.map(({ name, spiffeId }) => [spiffeHash(spiffeId), name]));
  const found = new Map<string, { readonly node: string; readonly text: string }>();
  for (const { node, flows } of observed)
    for (const flow of flows) {
      const placed = placeFlow(places, node, compiled.get(node)?.address ?? "", flow);
      const { endpoint, direction } = flow;
      if (placed === undefined || endpoint === undefined || endpoint.forged) continue;
      const peer = direction === "in" ? placed.source : placed.destination;
      const there = places.at(peer)?.endpoint;
      const isMeant =
        there === undefined ? endpoint.peer === "" : isKnownAs(endpoint, spiffeHash(there.spiffeId));
      if (isMeant) continue;
      const taken = byHash.get(endpoint.peer);
      const identity = taken === undefined ? `identity ${endpoint.identity}, no service` : `${taken}`;
      const meant = there === undefined ? "no endpoint" : `the endpoint of ${there.service}`;
      const text =
        `${node}: Cilium took ${peer} for ${identity}, and the mesh file has ${meant} there: ` +
        "its list of addresses is old, or was forged; what it refused or let pass by it is UNKNOWN";
      found.set(text, { node, text });
    }
  return [...found.values()].sort((a, b) => byText(a.text, b.text)).slice(0, mostNamed);
}

/** A number of services whose labels were not told is no contradiction. */
function isKnownAs(
  { identity, peer }: { readonly identity: number; readonly peer: string },
  hash: string,
): boolean {
  if (peer !== "") return peer === hash;
  return identity >= 256 && identity <= 0xffff;
}
