// In: a mesh and the selectors of a policy. Out: the services and ports they stand for. Pure.
import type { Mode, PortRange } from "@weft/shared/model/desired";
import type {
  BaselineEntry,
  Mesh,
  MeshNode,
  MeshPolicy,
  MeshService,
  Selector,
} from "@weft/shared/model/mesh";

/** Services a selector stands for; none for nodes and CIDRs. Labels are the service's own, not its node's. */
export function selectedServices(mesh: Pick<Mesh, "services">, selector: Selector): readonly MeshService[] {
  if (selector.kind === "service") return mesh.services.filter(({ name }) => name === selector.name);
  if (selector.kind !== "labels") return [];
  return mesh.services.filter((service) => hasLabels(service, selector.labels));
}

/** Nodes that enforce with Cilium, by name. */
export function ciliumNodes(mesh: Pick<Mesh, "nodes">): ReadonlySet<string> {
  return new Set(mesh.nodes.filter(({ enforcement }) => enforcement === "cilium").map(({ name }) => name));
}

/** Nodes that run a member of the mesh's own etcd; none: the operator runs it, or nobody needs one. */
export function etcdNodes({ cilium }: Pick<Mesh, "cilium">): readonly string[] {
  return cilium !== undefined && "nodes" in cilium.etcd ? cilium.etcd.nodes : [];
}

export function hasLabels(
  of: { readonly labels: Readonly<Record<string, string>> },
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => of.labels[key] === value);
}

export interface NodeBaseline {
  /** Those that are about the node. */
  readonly entries: readonly BaselineEntry[];
  /** One of those that close it, the enforced ones first; undefined: it is open. */
  readonly closedBy: BaselineEntry | undefined;
  /** Enforced while one of those that close it is. */
  readonly mode: Mode;
}

export function baselineOn(mesh: Pick<Mesh, "baseline" | "defaults">, node: MeshNode): NodeBaseline {
  const entries = (mesh.baseline ?? []).filter(
    ({ nodes }) =>
      nodes === undefined ||
      nodes.some((each) => (each.kind === "node" ? each.name === node.name : hasLabels(node, each.labels))),
  );
  const closing = entries.filter(({ closes }) => closes);
  const enforced = closing.find(({ mode }) => (mode ?? mesh.defaults.mode) === "enforce");
  return { entries, closedBy: enforced ?? closing[0], mode: enforced === undefined ? "audit" : "enforce" };
}

export function intersect(a: PortRange, b: PortRange): PortRange | undefined {
  const from = Math.max(a.from, b.from);
  const to = Math.min(a.to, b.to);
  return a.protocol !== b.protocol || from > to ? undefined : { protocol: a.protocol, from, to };
}

/** What a policy's `ports` select of one declared port of a service. */
export function selectedRanges(
  policy: MeshPolicy,
  port: { readonly name: string; readonly range: PortRange },
): PortRange[] {
  if (policy.ports === undefined) return [port.range];
  return policy.ports.flatMap((wanted) => {
    if (typeof wanted === "string") return wanted === port.name ? [port.range] : [];
    const common = intersect(wanted, port.range);
    return common === undefined ? [] : [common];
  });
}

export function formatRange(range: PortRange): string {
  const numbers = range.from === range.to ? String(range.from) : `${range.from}-${range.to}`;
  return `${numbers}/${range.protocol}`;
}

export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}: ${value}`)
    .sort()
    .join(", ");
}
