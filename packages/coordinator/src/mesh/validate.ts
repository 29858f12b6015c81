// In: a Mesh, or the text of one. Out: every problem of what its parts mean together. Pure.
import type { Mesh, Problem } from "@weft/shared/model/mesh";
import { ownEndpointRules } from "../cilium/endpoint-rules.ts";
import { withOwnEtcd } from "./own-etcd.ts";
import { type Draft, draftMesh, type MeshSource } from "./parse.ts";
import { hasErrors, sortProblems } from "./problem.ts";
import {
  baselineLeavesAWayIn,
  baselineLeavesNames,
  baselineNamesWhatExists,
  baselineRangesGrantNothingToNodes,
  baselineSaysSomething,
} from "./rules/baseline.ts";
import {
  ciliumIsSetUp,
  ciliumNodesHaveRanges,
  endpointsHaveUnits,
  rangesOfNodesFit,
} from "./rules/cilium-nodes.ts";
import {
  adminsAreNotEndpoints,
  etcdIsNoEndpoint,
  etcdIsProtected,
  rangesHoldEndpointsAlone,
} from "./rules/cilium-section.ts";
import {
  etcdClientsHaveNames,
  etcdNamesFitIntoCertificates,
  etcdNodesAreOdd,
  etcdNodesExist,
  etcdNodesHaveIpv4,
  etcdPortsAreFree,
} from "./rules/etcd-nodes.ts";
import {
  namesFitIntoDns,
  policyNamesAreFree,
  policyNamesAreUnique,
  portNamesAreNames,
  portNamesAreNotIcmp,
  serviceNamesAreFree,
  spiffeIdsAreValid,
  spiffePathsAreFree,
  spiffePathsAreUnique,
} from "./rules/names.ts";
import {
  addressesAreUnique,
  addressesAreUsable,
  canariesExist,
  coordinatorIsInTheMesh,
  familiesAgree,
  meshHasNodes,
  serviceNodesExist,
} from "./rules/nodes.ts";
import {
  cidrsGrantNothingInTheMesh,
  policiesGoOneWay,
  policiesNameWhatExists,
  policyPortsExist,
} from "./rules/policies.ts";
import type { Rule } from "./rules/rule.ts";
import {
  guardPortsAreNotServicePorts,
  portsAreNotEphemeral,
  portsAreNotShared,
  portsAreNotWeftsOwn,
  servicesAreReachable,
  usersAreUnprivileged,
  usersStandForOneService,
} from "./rules/services.ts";
import {
  adminsAreNotNodes,
  guardIsOfUse,
  upstreamsAreServers,
  zoneIsNotMistakenForTheTrustDomain,
  zoneIsPrivate,
} from "./rules/surroundings.ts";

export const rules: readonly Rule[] = [
  meshHasNodes,
  coordinatorIsInTheMesh,
  addressesAreUnique,
  addressesAreUsable,
  familiesAgree,
  serviceNodesExist,
  canariesExist,
  serviceNamesAreFree,
  portNamesAreNames,
  portNamesAreNotIcmp,
  policyNamesAreFree,
  policyNamesAreUnique,
  namesFitIntoDns,
  spiffeIdsAreValid,
  spiffePathsAreFree,
  spiffePathsAreUnique,
  usersAreUnprivileged,
  usersStandForOneService,
  portsAreNotShared,
  portsAreNotEphemeral,
  portsAreNotWeftsOwn,
  guardPortsAreNotServicePorts,
  servicesAreReachable,
  policiesNameWhatExists,
  policiesGoOneWay,
  policyPortsExist,
  cidrsGrantNothingInTheMesh,
  zoneIsPrivate,
  zoneIsNotMistakenForTheTrustDomain,
  upstreamsAreServers,
  adminsAreNotNodes,
  guardIsOfUse,
  baselineNamesWhatExists,
  baselineSaysSomething,
  baselineLeavesAWayIn,
  baselineLeavesNames,
  baselineRangesGrantNothingToNodes,
  ciliumIsSetUp,
  ciliumNodesHaveRanges,
  rangesOfNodesFit,
  endpointsHaveUnits,
  etcdIsProtected,
  etcdIsNoEndpoint,
  rangesHoldEndpointsAlone,
  adminsAreNotEndpoints,
  etcdNodesExist,
  etcdNodesAreOdd,
  etcdNodesHaveIpv4,
  etcdPortsAreFree,
  etcdClientsHaveNames,
  etcdNamesFitIntoCertificates,
];

export interface MeshContext {
  /** Name of the node that carries the coordinator; undefined when a file is checked away from one. */
  readonly coordinatorNode: string | undefined;
}

const nothingBroken: Draft["broken"] = { nodes: new Set(), services: new Set() };

export function validateMesh(
  mesh: Mesh,
  context: MeshContext,
  broken: Draft["broken"] = nothingBroken,
): Problem[] {
  return sortProblems(rules.flatMap((rule) => rule(mesh, { ...context, broken })));
}

/**
 * Parses and validates; the mesh is there when no problem is an error. Warnings may stand beside it. What Weft runs for the mesh is
 * part of it from here on.
 */
export function loadMesh(
  sources: readonly MeshSource[],
  context: MeshContext,
): { readonly mesh: Mesh | undefined; readonly problems: readonly Problem[] } {
  const { draft, problems } = draftMesh(sources);
  if (draft === undefined) return { mesh: undefined, problems };
  const all = sortProblems([...problems, ...validateMesh(draft.mesh, context, draft.broken)]);
  if (hasErrors(all)) return { mesh: undefined, problems: all };
  const whole = withOwnEtcd(draft.mesh);
  // whether Cilium can carry what is said is only clear of a mesh that is right
  const unsayable = ownEndpointRules(whole).problems;
  const mesh = hasErrors(unsayable) ? undefined : whole;
  return { mesh, problems: sortProblems([...all, ...unsayable]) };
}
