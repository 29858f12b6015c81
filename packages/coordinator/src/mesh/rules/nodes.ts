// In: a mesh. Out: problems with nodes and their addresses. Pure.
import { familyOf } from "@weft/shared/model/address";
import { nearestName } from "@weft/shared/model/near";
import { unusableBecause } from "@weft/shared/model/unusable-address";
import { errorAt, fieldPlace, warningAt } from "../problem.ts";
import type { Rule } from "./rule.ts";

export const meshHasNodes: Rule = (mesh, context) =>
  mesh.nodes.length > 0 || context.broken.nodes.size > 0
    ? []
    : [errorAt(start(mesh), "the mesh has no nodes", { allowed: "at least one under nodes:" })];

function start(mesh: Parameters<Rule>[0]) {
  return mesh.places?.[""] ?? { file: "mesh.yaml", line: 1, column: 1 };
}

export const coordinatorIsInTheMesh: Rule = (mesh, context) => {
  const name = context.coordinatorNode;
  if (name === undefined || context.broken.nodes.has(name) || mesh.nodes.some((node) => node.name === name))
    return [];
  return [
    errorAt(start(mesh), `the mesh leaves out node "${name}", which carries the coordinator`, {
      allowed: `a node "${name}" with its address`,
    }),
  ];
};

export const addressesAreUnique: Rule = (mesh) => {
  const owner = new Map<string, string>();
  return mesh.nodes.flatMap((node) => {
    const before = owner.get(node.address);
    owner.set(node.address, before ?? node.name);
    return before === undefined
      ? []
      : [
          errorAt(
            fieldPlace(node, "address"),
            `nodes "${before}" and "${node.name}" share the address ${node.address}`,
          ),
        ];
  });
};

export const addressesAreUsable: Rule = (mesh) =>
  mesh.nodes.flatMap((node) => {
    const why = unusableBecause(node.address);
    return why === undefined
      ? []
      : [
          errorAt(fieldPlace(node, "address"), `${node.address} is ${why}`, {
            allowed: "an address of the node that the other nodes can reach",
          }),
        ];
  });

export const serviceNodesExist: Rule = (mesh, context) => {
  const names = new Set([...mesh.nodes.map(({ name }) => name), ...context.broken.nodes]);
  return mesh.services.flatMap((service) =>
    service.nodes.flatMap((node, index) => {
      const place = fieldPlace(service, `nodes/${index}`);
      if (service.nodes.indexOf(node) !== index)
        return [errorAt(place, `service "${service.name}" names node "${node}" twice`)];
      if (names.has(node)) return [];
      return [errorAt(place, `there is no node "${node}"`, { near: nearestName(node, names) })];
    }),
  );
};

/** A node has one address here: what it sends to a node of the other family comes from one nobody knows. */
export const familiesAgree: Rule = (mesh) => {
  const first = mesh.nodes[0];
  const other = mesh.nodes.find(
    ({ address }) => first !== undefined && familyOf(address) !== familyOf(first.address),
  );
  if (first === undefined || other === undefined) return [];
  return [
    warningAt(
      fieldPlace(other, "address"),
      `nodes "${first.name}" and "${other.name}" have addresses of different families: policies between such nodes open nothing`,
      { allowed: "IPv4 addresses for all nodes, or IPv6 addresses for all" },
    ),
  ];
};

export const canariesExist: Rule = (mesh, context) => {
  const canaries = mesh.rollout?.canary;
  if (canaries === undefined || typeof canaries === "number") return [];
  const names = new Set([...mesh.nodes.map(({ name }) => name), ...context.broken.nodes]);
  return canaries.flatMap((node, index) => {
    const place = mesh.places?.[`rollout/canary/${index}`] ?? start(mesh);
    if (canaries.indexOf(node) !== index) return [errorAt(place, `canary "${node}" is named twice`)];
    if (names.has(node)) return [];
    return [errorAt(place, `there is no node "${node}"`, { near: nearestName(node, names) })];
  });
};
