// In: a valid mesh. Out: the registration entries its services need, one per service and node. Pure; sorted by ID.
import { spireAgentId } from "@weft/shared/model/ids";
import type { Mesh } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import type { RegistrationEntry } from "../spire/spire-server.ts";

export function registrationEntries(mesh: Mesh): RegistrationEntry[] {
  const nodes = new Set(mesh.nodes.map(({ name }) => name));
  return mesh.services
    .flatMap((service) =>
      service.nodes
        .filter((node) => nodes.has(node))
        .map((node) => ({
          id: `weft.${node}.${service.name}`,
          spiffeId: service.spiffeId,
          parentId: spireAgentId(mesh.trustDomain, node),
          selectors: [
            { type: "unix", value: `user:${service.user}` },
            ...(service.unit === undefined ? [] : [{ type: "systemd", value: `id:${service.unit}` }]),
          ],
        })),
    )
    .sort((a, b) => byText(a.id, b.id));
}
