// In: a change. Out: the coordinator's node moved, renamed or gone, and enrolled nodes that are moved or gone: the hub's
// kernel lets in nodes by the addresses of the mesh file, and nobody else gets to the coordinator's ports. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import { fieldPlace } from "../mesh/problem.ts";
import type { MeshChange, MeshState, Risk } from "./risk.ts";

function hubOf(state: MeshState): DesiredContent | undefined {
  return [...state.contents.values()].find(({ policy }) => policy.guard.isCoordinator);
}

export function membershipRisks({ before, after, members }: MeshChange): Risk[] {
  if (before === undefined) return [];
  const hub = hubOf(before)?.node;
  const nodes = new Map(after.mesh.nodes.map((node) => [node.name, node]));
  return before.mesh.nodes.flatMap(({ name, address }): Risk[] => {
    const now = nodes.get(name);
    if (now?.address === address) return [];
    const place = now === undefined ? undefined : fieldPlace(now, "address");
    if (name === hub) return hubRisk(before, name, now?.address, place);
    if (!members.has(name)) return [];
    const text =
      now === undefined
        ? `the enrolled node ${name} is not in the file any more: it is cut from the coordinator (7443) and from every service`
        : `the enrolled node ${name} moves from ${address} to ${now.address}: while its machine has the old address it is cut from the coordinator`;
    return [{ code: "GUARD-NODE", node: name, text, place }];
  });
}

function hubRisk(before: MeshState, name: string, address: string | undefined, place: Risk["place"]): Risk[] {
  const listens = hubOf(before)?.policy.guard.coordinatorAddress;
  // set right what was wrong before
  if (address !== undefined && address === listens) return [];
  const text =
    address === undefined
      ? `the coordinator's node ${name} is not in the file any more (gone or renamed): nothing of it is guarded`
      : `the coordinator's node ${name} is said to be at ${address}, and the coordinator is at ${listens ?? "another address"}`;
  return [{ code: "GUARD-HUB", node: name, text, place }];
}
