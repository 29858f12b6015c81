// In: a mesh. Out: problems with what its baseline closes and opens. Pure.
import type { BaselineEntry, Mesh, MeshNode, Problem } from "@weft/shared/model/mesh";
import { nearestName } from "@weft/shared/model/near";
import { errorAt, warningAt } from "../problem.ts";
import { baselineOn, formatLabels, hasLabels } from "../selection.ts";
import { coveredNodes, listSome } from "./policies.ts";
import type { Rule } from "./rule.ts";

const entriesOf = (mesh: Mesh): readonly BaselineEntry[] => mesh.baseline ?? [];

export const baselineNamesWhatExists: Rule = (mesh, context) => {
  const names = new Set([...mesh.nodes.map(({ name }) => name), ...context.broken.nodes]);
  return entriesOf(mesh).flatMap((entry) =>
    [...(entry.nodes ?? []), ...entry.allow.flatMap(({ from }) => from)].flatMap((selector): Problem[] => {
      if (selector.kind === "node" && !names.has(selector.name))
        return [
          errorAt(selector.place, `there is no node "${selector.name}"`, {
            near: nearestName(selector.name, names),
          }),
        ];
      if (selector.kind !== "labels") return [];
      if (Object.keys(selector.labels).length === 0)
        return [
          errorAt(selector.place, "an empty label selector would stand for every node", {
            allowed: "at least one label; or leave nodes away",
          }),
        ];
      if (mesh.nodes.some((node) => hasLabels(node, selector.labels))) return [];
      return [warningAt(selector.place, `no node has the labels { ${formatLabels(selector.labels)} }`)];
    }),
  );
};

export const baselineSaysSomething: Rule = (mesh) =>
  entriesOf(mesh).flatMap((entry) => {
    if (!entry.closes && entry.allow.length === 0)
      return [
        errorAt(entry.place, "this entry of the baseline neither closes nor allows anything", {
          allowed: "inbound: deny, allow: [...] or both",
        }),
      ];
    if (!entry.closes && entry.mode !== undefined)
      return [
        errorAt(entry.place, "mode says how ports are closed, and this entry closes none", {
          allowed: "mode beside inbound: deny",
        }),
      ];
    const isOfUse = mesh.nodes.some((node) => {
      const here = baselineOn(mesh, node);
      return here.entries.includes(entry) && here.closedBy !== undefined;
    });
    if (isOfUse || entry.closes || mesh.nodes.length === 0) return [];
    return [
      warningAt(entry.place, "this allows what is open: on none of its nodes a baseline says inbound: deny"),
    ];
  });

const ssh = { protocol: "tcp", from: 22, to: 22 } as const;

/** Whoever closes a machine says who may still come in: else nobody can repair what he got wrong. */
export const baselineLeavesAWayIn: Rule = (mesh) => {
  const shut = new Map<BaselineEntry, string[]>();
  for (const node of mesh.nodes) {
    const { closedBy, mode } = baselineOn(mesh, node);
    if (closedBy === undefined || mode === "audit" || hasWayIn(mesh, node)) continue;
    shut.set(closedBy, [...(shut.get(closedBy) ?? []), node.name]);
  }
  return [...shut].map(([entry, nodes]) =>
    errorAt(entry.place, `this closes SSH on ${listSome(nodes)} to everybody: no guard keeps a way in`, {
      allowed: "guard: { admin: [...], ports: [22/tcp] }, or 22/tcp under allow",
    }),
  );
};

function hasWayIn(mesh: Mesh, node: MeshNode): boolean {
  if (mesh.guard.admin.length > 0 && mesh.guard.ports.some(({ protocol }) => protocol === "tcp")) return true;
  const holds = ({ protocol, from, to }: (typeof mesh.guard.ports)[number]) =>
    protocol === ssh.protocol && from <= ssh.from && ssh.to <= to;
  return (
    baselineOn(mesh, node).entries.some(({ allow }) => allow.some(({ ports }) => ports.some(holds))) ||
    mesh.services.some(
      ({ nodes, ports }) => nodes.includes(node.name) && ports.some(({ range }) => holds(range)),
    )
  );
}

/** As with policies: a range never speaks for a node. */
export const baselineRangesGrantNothingToNodes: Rule = (mesh) =>
  entriesOf(mesh).flatMap(({ allow }) =>
    allow.flatMap(({ from }) =>
      from.flatMap((source) => {
        if (source.kind !== "cidr") return [];
        const nodes = coveredNodes(mesh, source.cidr);
        if (nodes.length === 0) return [];
        return [
          warningAt(
            source.place,
            `${source.cidr} covers mesh nodes (${listSome(nodes)}): a CIDR grants nothing to them`,
            { allowed: "nodes by name, or any" },
          ),
        ];
      }),
    ),
  );
