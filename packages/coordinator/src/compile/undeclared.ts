// In: a valid mesh. Out: for each node, what it does with what no service declares: ports under its baseline, and ping.
// Pure, and the same for any order in the file.
import {
  type Baseline,
  type BaselineAllowance,
  baselineName,
  type Origin,
  type PingRule,
} from "@weft/shared/model/desired";
import type { BaselineSource, Mesh, MeshNode, Place } from "@weft/shared/model/mesh";
import { baselineOn } from "../mesh/selection.ts";
import type { ResolvedPolicy } from "./grants.ts";
import { inOrder } from "./order.ts";

const originOf = ({ file, line }: Place): Origin => ({ policy: baselineName, file, line });

const everywhere = ["0.0.0.0/0", "::/0"] as const;

export function baselineOf(
  mesh: Mesh,
  node: MeshNode,
  nodes: ReadonlyMap<string, MeshNode>,
): Baseline | undefined {
  const { entries, closedBy, mode } = baselineOn(mesh, node);
  if (closedBy === undefined) return undefined;
  const allow = entries.flatMap((entry) =>
    entry.allow.flatMap(({ from, ports, icmp, place }): BaselineAllowance[] => {
      const origin = originOf(place);
      return from
        .flatMap((source) => sourcesOf(source, nodes))
        .flatMap((source) =>
          [...ports, ...(icmp ? [undefined] : [])].map((port) => ({ ...source, port, origin })),
        );
    }),
  );
  return { mode, origin: originOf(closedBy.place), allow: inOrder(allow) };
}

function sourcesOf(
  source: BaselineSource,
  nodes: ReadonlyMap<string, MeshNode>,
): { readonly from: string; readonly source: string }[] {
  if (source.kind === "cidr") return [{ from: source.cidr, source: source.cidr }];
  if (source.kind === "any") return everywhere.map((range) => ({ from: "any", source: range }));
  const node = nodes.get(source.name);
  return node === undefined ? [] : [{ from: node.name, source: node.address }];
}

/** By node. A service stands for the addresses of its nodes: of a ping nothing else can be told. */
export function pingRules(
  mesh: Mesh,
  policies: readonly ResolvedPolicy[],
  nodes: ReadonlyMap<string, MeshNode>,
): ReadonlyMap<string, readonly PingRule[]> {
  const byNode = new Map<string, Map<string, PingRule>>();
  for (const { policy, services, nodes: fromNodes, cidrs, to, mode, origin } of policies) {
    if (policy.icmp !== true) continue;
    const { action } = policy;
    const targets = new Set([
      ...mesh.services.filter(({ name }) => to.has(name)).flatMap((service) => service.nodes),
      ...policy.to.flatMap((selector) => (selector.kind === "node" ? [selector.name] : [])),
    ]);
    const sources = [
      ...services.flatMap((service) =>
        service.nodes.flatMap((name) => {
          const source = nodes.get(name)?.address;
          return source === undefined ? [] : [{ from: service.name, source }];
        }),
      ),
      ...fromNodes.map((node) => ({ from: node.name, source: node.address })),
      ...cidrs.map((cidr) => ({ from: cidr, source: cidr })),
    ];
    for (const target of targets) {
      const rules = byNode.get(target) ?? new Map<string, PingRule>();
      byNode.set(target, rules);
      for (const source of sources) {
        // policies come in order of name, so the first to speak for a source is its origin
        const key = `${action} ${mode} ${source.from} ${source.source}`;
        if (!rules.has(key)) rules.set(key, { ...source, action, mode, origin });
      }
    }
  }
  return new Map([...byNode].map(([node, rules]) => [node, inOrder([...rules.values()])]));
}

/** Ranges that speak here of addresses, but never of nodes. */
export function rangesOf(baseline: Baseline | undefined, ping: readonly PingRule[]): string[] {
  return [...(baseline?.allow ?? []), ...ping]
    .filter(({ from, source }) => from === source)
    .map(({ source }) => source);
}
