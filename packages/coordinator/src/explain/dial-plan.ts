// In: the mesh, and the ends of one connection. Out: which node could make it, as whom; or why none is asked to. Pure.
import type { DialQuestion } from "@weft/shared/model/dial";
import type { Mesh } from "@weft/shared/model/mesh";
import type { EndpointWay } from "./endpoint-way.ts";
import type { AskedPort, Endpoint } from "./endpoints.ts";
import { addressOfNode, identityText, targetOn } from "./identify.ts";

export interface DialPlan {
  readonly node: string;
  readonly question: Omit<DialQuestion, "id">;
}

/** Of a node: any process of it that no service's user runs. */
const nodeUser = "root";

/** @param via the node that forwards for the source; empty: none @param way undefined: no end is an endpoint of Cilium */
export function dialPlanOf(
  mesh: Mesh,
  from: Endpoint,
  to: Endpoint,
  { protocol, port }: AskedPort,
  via: string,
  way?: EndpointWay,
): DialPlan | string {
  const { kind, node, address } = from.identity;
  if (protocol !== "tcp") return `only a TCP connection can be tried, and this is ${protocol}`;
  if (via !== "") return `what is behind ${via} cannot be asked for a connection`;
  if (kind !== "service" && kind !== "node")
    return `only a service or a node of the mesh is asked for a connection, and not ${identityText(from.identity)}`;
  if (address !== addressOfNode(mesh, node))
    return `${node} would connect from ${addressOfNode(mesh, node)}, and not from ${address}`;
  const receiver = to.identity;
  const isDeclared =
    receiver.node !== "" &&
    receiver.address === addressOfNode(mesh, receiver.node) &&
    targetOn(mesh, receiver.node, protocol, port) !== undefined;
  if (!isDeclared) return `no service of the mesh declares ${port}/tcp at ${receiver.address}`;
  const user = from.user === "" ? nodeUser : from.user;
  return { node, question: { user, destination: way?.destination ?? receiver.address, port } };
}
