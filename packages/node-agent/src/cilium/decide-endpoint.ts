// In: the endpoint an agent has of a service, and the one it should have. Out: what to do about it. Pure.
import { byText } from "@weft/shared/plan/text-order";
import type { EndpointWish } from "./endpoint-wish.ts";
import type { CiliumEndpoint } from "./parse-endpoint.ts";

export type EndpointChange =
  | { readonly kind: "keep" }
  | { readonly kind: "create" }
  /** It has other labels: they can be given to it as it is. */
  | { readonly kind: "relabel" }
  | { readonly kind: "recreate"; readonly because: string };

/** Nothing becomes of an endpoint in these states. */
const over: readonly string[] = ["disconnecting", "disconnected", "invalid"];

export function decideEndpoint(found: CiliumEndpoint | undefined, wish: EndpointWish): EndpointChange {
  if (found === undefined) return { kind: "create" };
  if (over.includes(found.state)) return { kind: "recreate", because: `it is ${found.state}` };
  const [difference] = differencesOf(found, wish);
  if (difference !== undefined) return { kind: "recreate", because: difference };
  return sameLabels(found.labels, wish.labels) ? { kind: "keep" } : { kind: "relabel" };
}

/** Ready, and the identity in force is that of its labels. */
export function isDone(found: CiliumEndpoint, wish: EndpointWish): boolean {
  return found.state === "ready" && sameLabels(found.identityLabels, wish.labels);
}

/** What an agent cannot be told to change; after a link is made again, it does not find out itself. */
function differencesOf(found: CiliumEndpoint, wish: EndpointWish): string[] {
  const pairs: readonly (readonly [string, string | number | undefined, string | number])[] = [
    ["address", found.address, wish.address],
    ["link", found.linkName, wish.linkName],
    ["link's index", found.linkIndex, wish.linkIndex],
    ["hardware address", found.mac?.toLowerCase(), wish.mac.toLowerCase()],
    ["outer hardware address", found.hostMac?.toLowerCase(), wish.hostMac.toLowerCase()],
  ];
  return pairs.flatMap(([what, has, should]) =>
    has === should ? [] : [`its ${what} is ${has ?? "not told"}, not ${should}`],
  );
}

function sameLabels(some: readonly string[], others: readonly string[]): boolean {
  const [one, other] = [some, others].map((labels) => [...new Set(labels)].sort(byText));
  return one?.join("\n") === other?.join("\n");
}
