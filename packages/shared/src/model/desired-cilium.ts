// What a node whose services have endpoints of Cilium is given beside its policy (wire: weft/v1/desired.proto). No behaviour.
// The rules of nftables stay in force on such a node, for the machine itself and by address; this comes on top.
import type { CiliumRule } from "./cilium-policy.ts";
import type { PortRange } from "./traffic.ts";

/** A service in a network namespace of its own. */
export interface DesiredEndpoint {
  readonly service: string;
  readonly spiffeId: string;
  /** The systemd unit that is moved into the namespace. */
  readonly unit: string;
  /** IPv4, inside the range of its node. */
  readonly address: string;
  /** Reached at the address of the node as well. */
  readonly ports: readonly PortRange[];
  readonly rules: readonly CiliumRule[];
}

/** An etcd of the operator that agents share. */
export interface DesiredEtcd {
  /** URLs: http or https, with a port. */
  readonly members: readonly string[];
  /** Files of the node; undefined: none. */
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

export interface DesiredCilium {
  /** undefined: the mesh's own (model/desired-etcd.ts) */
  readonly etcd: DesiredEtcd | undefined;
  /** IPv4 CIDR of this node's endpoints. */
  readonly range: string;
  /** IPv4 CIDR that the ranges of all nodes are in: what is sent there keeps its source address. */
  readonly ranges: string;
  /** Sorted by service. */
  readonly endpoints: readonly DesiredEndpoint[];
}
