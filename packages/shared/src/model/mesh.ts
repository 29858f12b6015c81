// The mesh file as a value: what the operator said, with the line each thing was said on. No behaviour.
import type { Action, DnsMode, Mode, PortRange } from "./desired.ts";
import type { DesiredEtcd } from "./desired-cilium.ts";

/** Where in the operator's files something was written. line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Where the fields of an entry were written, by path inside the entry ("user", "nodes/0", "ports/http"). */
export type Places = Readonly<Record<string, Place>>;

export interface MeshNode {
  readonly name: string;
  /** Normalised IP address. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly enforcement: "auto" | "nftables" | "cilium";
  /** IPv4 CIDR of its endpoints; of a node with Cilium alone. */
  readonly range?: string | undefined;
  /** undefined: the mesh's own */
  readonly dnsMode: DnsMode | undefined;
  readonly place: Place;
  readonly places?: Places;
}

export interface ServicePort {
  readonly name: string;
  readonly range: PortRange;
}

export interface MeshService {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly user: string;
  readonly unit: string | undefined;
  readonly spiffeId: string;
  readonly ports: readonly ServicePort[];
  readonly mtls: "app" | "none";
  readonly labels: Readonly<Record<string, string>>;
  readonly place: Place;
  readonly places?: Places;
}

export type Selector =
  | { readonly kind: "service"; readonly name: string; readonly place: Place }
  | { readonly kind: "node"; readonly name: string; readonly place: Place }
  | { readonly kind: "labels"; readonly labels: Readonly<Record<string, string>>; readonly place: Place }
  | { readonly kind: "cidr"; readonly cidr: string; readonly place: Place };

export interface MeshPolicy {
  readonly name: string;
  readonly from: readonly Selector[];
  readonly to: readonly Selector[];
  /** Port names or ranges of the destination; undefined: every declared port. */
  readonly ports: readonly (string | PortRange)[] | undefined;
  /** `icmp` stands under its ports, too: it speaks of ping to the destination's addresses. */
  readonly icmp?: boolean;
  readonly action: Action;
  readonly mode: Mode | undefined;
  readonly place: Place;
  readonly places?: Places;
}

/** What ends a rollout: rules that undid themselves, a node that failed or fell silent, an error nobody had before. */
export const stopCauses = ["reverted", "failed", "condition"] as const;
export type StopCause = (typeof stopCauses)[number];

/** How a change goes to the nodes it touches: canaries first, then wave after wave. */
export interface RolloutWish {
  /** How many, or which. */
  readonly canary: number | readonly string[];
  readonly wave: { readonly unit: "nodes" | "percent"; readonly size: number };
  readonly stopOn: readonly StopCause[];
  /** For each wave. */
  readonly deadlineSeconds: number;
}

/** Which nodes an entry of the baseline is about. */
export type NodeSelector =
  | { readonly kind: "node"; readonly name: string; readonly place: Place }
  | { readonly kind: "labels"; readonly labels: Readonly<Record<string, string>>; readonly place: Place };

export type BaselineSource =
  | { readonly kind: "any"; readonly place: Place }
  | { readonly kind: "node"; readonly name: string; readonly place: Place }
  | { readonly kind: "cidr"; readonly cidr: string; readonly place: Place };

export interface BaselineOpening {
  readonly from: readonly BaselineSource[];
  readonly ports: readonly PortRange[];
  readonly icmp: boolean;
  readonly place: Place;
}

/** Entries add up: a node is closed when one that is about it says so, and what any of them allows is open. */
export interface BaselineEntry {
  /** undefined: every node */
  readonly nodes: readonly NodeSelector[] | undefined;
  readonly closes: boolean;
  readonly mode: Mode | undefined;
  readonly allow: readonly BaselineOpening[];
  readonly place: Place;
}

/** An etcd that Weft runs. */
export interface MeshEtcd {
  /** Each runs a member of it. */
  readonly nodes: readonly string[];
}

/** What nodes that enforce with Cilium share. */
export interface MeshCilium {
  /** The operator's, or the mesh's own. */
  readonly etcd: DesiredEtcd | MeshEtcd;
  /** IPv4 CIDR that their ranges are in. */
  readonly ranges: string;
}

export interface Mesh {
  readonly name: string;
  readonly trustDomain: string;
  readonly dns: { readonly zone: string; readonly mode: DnsMode; readonly upstreams: readonly string[] };
  readonly guard: { readonly admin: readonly string[]; readonly ports: readonly PortRange[] };
  readonly nodes: readonly MeshNode[];
  readonly services: readonly MeshService[];
  readonly policies: readonly MeshPolicy[];
  /** What holds for ports nobody declared. */
  readonly baseline?: readonly BaselineEntry[];
  readonly defaults: {
    readonly ingress: Action;
    readonly egress: Action;
    readonly mode: Mode;
    readonly boot: "guards-only" | "open";
  };
  /** undefined: to all nodes at once. */
  readonly rollout?: RolloutWish | undefined;
  readonly cilium?: MeshCilium | undefined;
  /** Of the top-level fields ("dns/zone", "guard/admin/0"). */
  readonly places?: Places;
}

/** One problem of the mesh file; every one is reported, not only the first. */
export interface Problem {
  readonly place: Place;
  readonly severity: "error" | "warning";
  readonly message: string;
  /** What is allowed here, if that can be said. */
  readonly allowed: string | undefined;
  /** A near name, if any. */
  readonly near: string | undefined;
}
