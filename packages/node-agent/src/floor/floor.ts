// What /etc/weft/floor.yaml says, with the line of each part: bounds on what any coordinator may have on this node. No
// behaviour. A part that is left out bounds nothing.
import type { PortRange } from "@weft/shared/model/desired";

export interface FloorItem<T> {
  readonly value: T;
  readonly line: number;
}

export interface FloorList<T> {
  /** Of the key. */
  readonly line: number;
  readonly items: readonly FloorItem<T>[];
}

export type Ports = FloorList<PortRange>;
/** Addresses and CIDRs. */
export type Ranges = FloorList<string>;
export type Names = FloorList<string>;

/** A word that has one value only, so that its line says all. */
export interface FloorWord {
  readonly line: number;
}

export interface Floor {
  /** Where mesh nodes may be. */
  readonly nodes: Ranges | undefined;
  readonly users: Names | undefined;
  readonly units: Names | undefined;
  readonly ingress: {
    /** Closed to the network, whatever the mesh opens or leaves out. */
    readonly never: Ports | undefined;
    /** Closed unless a rule opens them: leaving the service out of the mesh does not. */
    readonly judged: Ports | undefined;
    /** Whatever no service declares is closed, as under a baseline, whether the mesh has one or not. */
    readonly closed: FloorWord | undefined;
    /** Sources a rule may name. */
    readonly from: Ranges | undefined;
  };
  readonly egress: {
    /** No process of this node opens anything there. */
    readonly never: Ranges | undefined;
    /** Where a rule may let services out to. */
    readonly to: Ranges | undefined;
    readonly deny: FloorWord | undefined;
  };
  /** Sources a rule may let this node forward for. */
  readonly forward: { readonly from: Ranges | undefined };
  readonly dns: {
    readonly zones: Names | undefined;
    readonly upstreams: Ranges | undefined;
    readonly leaveAlone: FloorWord | undefined;
  };
  readonly guard: {
    readonly admin: Ranges | undefined;
    readonly ports: Ports | undefined;
    readonly atMostAdmin: Ranges | undefined;
    readonly atMostPorts: Ports | undefined;
  };
  readonly coordinator: {
    readonly addresses: Ranges | undefined;
    /** This node carries it, on these ports. Left out: it does not. */
    readonly here: Ports | undefined;
  };
  /** Whether services may get endpoints of Cilium, in network namespaces of their own. Left out: no. */
  readonly cilium: FloorItem<boolean> | undefined;
  /** Whether this machine may run a member of the mesh's own etcd. Left out: no. */
  readonly etcd: FloorItem<boolean> | undefined;
  readonly enforce: FloorWord | undefined;
  readonly guardsOnlyBoot: FloorWord | undefined;
}
