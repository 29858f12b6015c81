// In: a mesh and the selectors of a policy. Out: the services and ports they stand for. Pure.
import type { PortRange } from "@weft/shared/model/desired";
import type { Mesh, MeshPolicy, MeshService, Selector } from "@weft/shared/model/mesh";

/** Services a selector stands for; none for nodes and CIDRs. Labels are the service's own, not its node's. */
export function selectedServices(mesh: Pick<Mesh, "services">, selector: Selector): readonly MeshService[] {
  if (selector.kind === "service") return mesh.services.filter(({ name }) => name === selector.name);
  if (selector.kind !== "labels") return [];
  const wanted = Object.entries(selector.labels);
  return mesh.services.filter(({ labels }) => wanted.every(([key, value]) => labels[key] === value));
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
