// In: a valid mesh and the nodes that enforce with Cilium. Out: for each service there what its endpoint may send and receive,
// or what of the mesh cannot be said in Cilium's terms. Pure; the order of the file does not show.
import type { CiliumRule } from "@weft/shared/model/cilium-policy";
import type { Mesh, MeshNode, MeshService, Problem } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { hasErrors, sortProblems } from "../mesh/problem.ts";
import { ciliumNodes } from "../mesh/selection.ts";
import { type Ground, groundOf } from "./ground.ts";
import { incomingOf } from "./incoming.ts";
import { limitsOf } from "./limits.ts";
import { outgoingOf } from "./outgoing.ts";

export interface RuledService {
  readonly service: MeshService;
  readonly rules: readonly CiliumRule[];
}

export interface EndpointRules {
  /** By node, each with its services by name. Empty when one of the problems is an error. */
  readonly nodes: ReadonlyMap<string, readonly RuledService[]>;
  readonly problems: readonly Problem[];
}

/** A mesh that is read is judged first and then compiled. */
const remembered = new WeakMap<Mesh, EndpointRules>();

/** Of the nodes that enforce with Cilium by the mesh file. */
export function ownEndpointRules(mesh: Mesh): EndpointRules {
  const known = remembered.get(mesh) ?? endpointRules(mesh, ciliumNodes(mesh));
  remembered.set(mesh, known);
  return known;
}

export function endpointRules(mesh: Mesh, cilium: ReadonlySet<string>): EndpointRules {
  if (cilium.size === 0) return { nodes: new Map(), problems: [] };
  const limits = limitsOf(mesh, cilium);
  // how policies meet is only clear where none is on trial
  if (hasErrors(limits)) return { nodes: new Map(), problems: sortProblems(limits) };
  const ground = groundOf(mesh, cilium);
  const problems = [...limits];
  const nodes = new Map(
    mesh.nodes
      .filter(({ name }) => cilium.has(name))
      .sort((a, b) => byText(a.name, b.name))
      .map((node) => [node.name, ruledOn(ground, node, problems)] as const),
  );
  return { nodes: hasErrors(problems) ? new Map() : nodes, problems: sortProblems(problems) };
}

function ruledOn(ground: Ground, own: MeshNode, problems: Problem[]): RuledService[] {
  return [...(ground.servicesOn.get(own.name) ?? [])]
    .sort((a, b) => byText(a.name, b.name))
    .map((service) => {
      const said = [incomingOf(ground, service, own), outgoingOf(ground, service, own)];
      problems.push(...said.flatMap((each) => each.problems));
      return { service, rules: said.flatMap(({ rules }) => rules) };
    });
}
