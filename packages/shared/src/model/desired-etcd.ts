// What a node is given of the etcd that Weft runs for the agents of Cilium (wire: weft/v1/desired.proto). No behaviour.

/** A node that runs a member, on its own address, ports 2379 for clients and 2380 for members. */
export interface EtcdMember {
  readonly node: string;
  readonly address: string;
  /** In DNS, and the common name of its certificate; so its user in etcd. */
  readonly name: string;
}

/** A node whose agent of Cilium is a client. */
export interface EtcdClient {
  readonly node: string;
  readonly address: string;
  /** The common name of its certificate, and so its user in etcd. */
  readonly name: string;
  /** Of its endpoints, sorted: it may say of these, and of its node's, which identity they have, and of no others. */
  readonly addresses: readonly string[];
}

export interface DesiredEtcdCluster {
  /** As in the mesh file: the first one begins. Never empty. */
  readonly members: readonly EtcdMember[];
  /** Sorted by node. For a member all of them; for any other node itself alone. */
  readonly clients: readonly EtcdClient[];
}
