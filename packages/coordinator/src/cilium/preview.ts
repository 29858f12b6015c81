// In: a valid mesh and nodes of it. Out: the policy files these would have if they enforced with Cilium 1.18, or what stands
// against it. Pure. Every file has passed the check of what an agent takes; one that does not is a bug, and none is shown.

import { refusalsOf } from "@weft/shared/cilium-file/policy-file";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { CiliumPolicyFile } from "@weft/shared/model/cilium-policy";
import type { Mesh, Problem } from "@weft/shared/model/mesh";
import { endpointLabels } from "@weft/shared/render/cilium-labels";
import { renderCiliumPolicy } from "@weft/shared/render/cilium-policy";
import { ciliumNodes } from "../mesh/selection.ts";
import { endpointRules, type RuledService } from "./endpoint-rules.ts";

export interface PreviewedService {
  readonly service: string;
  readonly spiffeId: string;
  readonly labels: readonly string[];
  readonly file: CiliumPolicyFile;
}

export interface PreviewedNode {
  readonly node: string;
  readonly services: readonly PreviewedService[];
}

export interface CiliumPreview {
  /** Empty when one of the problems is an error. */
  readonly nodes: readonly PreviewedNode[];
  readonly problems: readonly Problem[];
}

/** @param names of nodes of the mesh, taken to enforce with Cilium beside those that do by the mesh file */
export function previewCilium(mesh: Mesh, names: readonly string[]): CiliumPreview {
  const { nodes, problems } = endpointRules(mesh, new Set([...names, ...ciliumNodes(mesh)]));
  const shown = [...nodes].filter(([node]) => names.includes(node));
  return {
    nodes: shown.map(([node, services]) => ({
      node,
      services: services.map((each) => previewed(mesh, node, each)),
    })),
    problems,
  };
}

function previewed(mesh: Mesh, node: string, { service, rules }: RuledService): PreviewedService {
  const { name, spiffeId } = service;
  const file = renderCiliumPolicy({ mesh: mesh.name, node, service: name, spiffeId, rules });
  return { service: name, spiffeId, labels: endpointLabels(spiffeId, mesh.name), file: accepted(node, file) };
}

function accepted(node: string, file: CiliumPolicyFile): CiliumPolicyFile {
  const [refusal] = refusalsOf(file);
  if (refusal === undefined) return file;
  throw new WeftError(
    "WEFT-E405",
    `the policy file ${file.name} of ${node} would be refused by a Cilium agent`,
    {
      why: refusal,
      hint: "this is a bug of Weft; please report it with the mesh file",
    },
  );
}
