// In: what this node was given, as its floor lets it be, and a connection that somebody wants made. Out: a sentence that
// refuses it, or undefined. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DialQuestion } from "@weft/shared/model/dial";

/** The agent's own: every process of the node that no service's user runs is judged like it. */
export const nodeUser = "root";

export function dialRefusal(
  content: Pick<DesiredContent, "node" | "identity" | "policy"> | undefined,
  { user, destination, port }: DialQuestion,
): string | undefined {
  if (content === undefined) return "it has no state to go by";
  const isDeclared = content.policy.mesh.some(
    (endpoint) =>
      endpoint.address === destination &&
      endpoint.port.protocol === "tcp" &&
      endpoint.port.from <= port &&
      port <= endpoint.port.to,
  );
  if (!isDeclared) return `${destination} port ${port}/tcp is no endpoint that its mesh declares`;
  if (user === nodeUser || content.identity.workloads.some((workload) => workload.user === user))
    return undefined;
  return `${user} is not the user of a service of ${content.node}`;
}
