// In: a change of the mesh. Out: every guard flow it would cut or weaken: of administrators, of nodes to their
// coordinator and DNS servers, and of the operator who makes it. Pure. What was as bad before is no risk of the change.
import { adminRisks } from "./admin-risks.ts";
import { membershipRisks } from "./membership-risks.ts";
import { operatorRisks } from "./operator-risks.ts";
import type { MeshChange, Risk } from "./risk.ts";
import { servicePortRisks } from "./service-port-risks.ts";
import { upstreamRisks } from "./upstream-risks.ts";

export function guardRisks(change: MeshChange): Risk[] {
  return [
    ...adminRisks(change),
    ...servicePortRisks(change),
    ...membershipRisks(change),
    ...upstreamRisks(change),
    ...operatorRisks(change),
  ];
}
