// In: what this node was given, as its floor lets it be, and a connection that somebody wants made. Out: a sentence that
// refuses it, or undefined. Pure.
import { covers } from "@weft/shared/model/address";
import type { DesiredContent, Endpoint } from "@weft/shared/model/desired";
import type { DialQuestion } from "@weft/shared/model/dial";

/** The agent's own: every process of the node that no service's user runs is judged like it. */
export const nodeUser = "root";

export type DialGround = Pick<DesiredContent, "node" | "identity" | "policy" | "dns" | "cilium">;

/** Whose endpoint of Cilium this user's service is; undefined: the user has none here. */
export function endpointServiceOf(
  content: Pick<DesiredContent, "identity" | "cilium"> | undefined,
  user: string,
): string | undefined {
  const own = new Set(content?.cilium?.endpoints.map(({ service }) => service));
  return content?.identity.workloads.find((workload) => workload.user === user && own.has(workload.service))
    ?.service;
}

export function dialRefusal(
  content: DialGround | undefined,
  { user, destination, port }: DialQuestion,
): string | undefined {
  if (content === undefined) return "it has no state to go by";
  const addressesOf = endpointNames(content, user);
  const isDeclared = content.policy.mesh.some(
    (endpoint) =>
      (endpoint.address === destination || addressesOf(endpoint).includes(destination)) &&
      endpoint.port.protocol === "tcp" &&
      endpoint.port.from <= port &&
      port <= endpoint.port.to,
  );
  if (!isDeclared) return `${destination} port ${port}/tcp is no endpoint that its mesh declares`;
  if (user === nodeUser || content.identity.workloads.some((workload) => workload.user === user))
    return undefined;
  return `${user} is not the user of a service of ${content.node}`;
}

/** Who has an endpoint comes to those of others by names that lead there (coordinator: compile/names.ts). */
function endpointNames(content: DialGround, user: string): (endpoint: Endpoint) => readonly string[] {
  const { cilium, dns } = content;
  if (cilium === undefined || endpointServiceOf(content, user) === undefined) return () => [];
  return ({ node, service }) =>
    dns.records
      .filter(({ name, type }) => type === "A" && name === `${node}.${service}.${dns.zone}`)
      .map(({ value }) => value)
      .filter((value) => covers(cilium.ranges, value));
}
