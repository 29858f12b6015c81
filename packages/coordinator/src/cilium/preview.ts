// In: a valid mesh and nodes of it. Out: the policy files these would have if they enforced with Cilium 1.18, or what stands
// against it. Pure. Every file has passed the check of what an agent takes; one that does not is a bug, and none is shown.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { CiliumPolicyFile } from "@weft/shared/model/cilium-policy";
import type { Mesh, MeshNode, Problem } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { endpointLabels } from "@weft/shared/render/cilium-labels";
import { renderCiliumPolicy } from "@weft/shared/render/cilium-policy";
import { hasErrors, sortProblems } from "../mesh/problem.ts";
import { type Ground, groundOf } from "./ground.ts";
import { incomingOf } from "./incoming.ts";
import { limitsOf } from "./limits.ts";
import { outgoingOf } from "./outgoing.ts";
import { refusalsOf } from "./policy-file.ts";

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

/** @param names of nodes of the mesh */
export function previewCilium(mesh: Mesh, names: readonly string[]): CiliumPreview {
  const cilium = new Set(names);
  const limits = limitsOf(mesh, cilium);
  // how policies meet is only clear where none is on trial
  if (hasErrors(limits)) return { nodes: [], problems: sortProblems(limits) };
  const ground = groundOf(mesh, cilium);
  const previewed = mesh.nodes
    .filter(({ name }) => cilium.has(name))
    .sort((a, b) => byText(a.name, b.name))
    .map((node) => nodeOf(ground, node));
  const problems = sortProblems([...limits, ...previewed.flatMap((each) => each.problems)]);
  return { nodes: hasErrors(problems) ? [] : previewed.map(({ node }) => node), problems };
}

function nodeOf(
  ground: Ground,
  own: MeshNode,
): { readonly node: PreviewedNode; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const services = ground.mesh.services
    .filter(({ nodes }) => nodes.includes(own.name))
    .sort((a, b) => byText(a.name, b.name))
    .map((service): PreviewedService => {
      const said = [incomingOf(ground, service, own), outgoingOf(ground, service, own)];
      problems.push(...said.flatMap((each) => each.problems));
      const file = renderCiliumPolicy({
        mesh: ground.mesh.name,
        node: own.name,
        service: service.name,
        spiffeId: service.spiffeId,
        rules: said.flatMap(({ rules }) => rules),
      });
      const labels = endpointLabels(service.spiffeId, ground.mesh.name);
      return { service: service.name, spiffeId: service.spiffeId, labels, file: accepted(own.name, file) };
    });
  return { node: { node: own.name, services }, problems };
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
