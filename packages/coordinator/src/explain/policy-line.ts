// In: two ends and a port. Out: the policy that speaks of exactly them, as one line of a mesh file. Pure.
import type { Action, Traffic } from "@weft/shared/model/desired";
import type { Identity } from "./identify.ts";

export interface PolicyLineWish {
  readonly source: Identity;
  readonly destination: Identity;
  readonly protocol: Traffic;
  readonly port: number;
  /** Empty: not a declared one. */
  readonly portName: string;
  readonly action: Action;
  /** Names that are taken. */
  readonly names: ReadonlySet<string>;
}

function selectorOf({ kind, name, node, address }: Identity): string {
  const cidr = address.includes(":") ? `{ cidr: "${address}" }` : `{ cidr: ${address} }`;
  if (kind === "service") return name;
  return kind === "none" ? cidr : `node:${node}`;
}

function labelOf({ kind, name, node, address }: Identity): string {
  if (kind === "service") return name;
  return kind === "none" ? address.replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "") : node;
}

/** undefined: no policy can say it (a port of a node that no service declares). */
export function policyLine(wish: PolicyLineWish): string | undefined {
  const { source, destination, portName, protocol, port, action, names } = wish;
  const isHost = destination.kind === "node" || destination.kind === "user";
  if (isHost && protocol !== "icmp") return undefined;
  // a policy to what is outside the mesh is about services
  if (destination.kind === "none" && source.kind !== "service") return undefined;
  const base = `${action === "deny" ? "no-" : ""}${labelOf(source)}-to-${labelOf(destination)}`.slice(0, 58);
  let name = base;
  for (let count = 2; names.has(name); count++) name = `${base}-${count}`;
  const to = selectorOf(destination);
  const ports = protocol === "icmp" ? "icmp" : portName === "" ? `${port}/${protocol}` : portName;
  const end = action === "deny" ? ", action: deny" : "";
  return `- { name: ${name}, from: [${selectorOf(source)}], to: ${to}, ports: [${ports}]${end} }`;
}

/** What would open it where a baseline closes it: an entry of `baseline:`. undefined: the destination is no node. */
export function baselineLine(wish: PolicyLineWish): string | undefined {
  const { source, destination, protocol, port } = wish;
  if (destination.node === "") return undefined;
  // under a baseline a service is its node: of a port nobody declares no user is judged
  const from = selectorOf(source.kind === "service" ? { ...source, kind: "node" } : source);
  const ports = protocol === "icmp" ? "icmp" : `${port}/${protocol}`;
  return `- { nodes: [${destination.node}], allow: [{ from: [${from}], ports: [${ports}] }] }`;
}
