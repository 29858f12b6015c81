// In: a client of the mesh's own etcd. Out: what its agent of Cilium may read and write there. Pure.
// Each address is a key of its own: below a prefix like 10.42.12. there is room for 10.42.12.0/0, too, and an agent takes
// such a key for the identity of the whole range (1.18.10, pkg/identity/identity.go, PrefixString).
import type { EtcdClient } from "@weft/shared/model/desired-etcd";

export interface EtcdGrant {
  readonly permission: "read" | "write" | "readwrite";
  readonly key: string;
  /** First key behind the range; empty: the key alone. */
  readonly end: string;
}

export const addressFolder = "cilium/state/ip/v1/default/";
/** Number -> labels. */
export const idFolder = "cilium/state/identities/v1/id/";
/** Labels/address of a node -> number: that node uses it. */
export const valueFolder = "cilium/state/identities/v1/value/";
export const lockFolders = ["cilium/state/identities/v1/locks/", "cilium/.initlock/"] as const;

export function nodeKey(cluster: string, node: string): string {
  return `cilium/state/nodes/v1/${cluster}/${node}`;
}

/** @param cluster as Cilium calls the mesh */
export function clientGrants(client: EtcdClient, cluster: string): EtcdGrant[] {
  const own = new Set([client.address, ...client.addresses]);
  return [
    below("read", "cilium/"),
    { permission: "write", key: nodeKey(cluster, client.node), end: "" },
    ...[idFolder, valueFolder, ...lockFolders].map((folder) => below("write", folder)),
    ...[...own].map(
      (address): EtcdGrant => ({ permission: "write", key: `${addressFolder}${address}`, end: "" }),
    ),
  ];
}

function below(permission: EtcdGrant["permission"], folder: string): EtcdGrant {
  const last = folder.length - 1;
  return {
    permission,
    key: folder,
    end: folder.slice(0, last) + String.fromCharCode(folder.charCodeAt(last) + 1),
  };
}
