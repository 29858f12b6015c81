// In: what stands below cilium/ in etcd now, and what was suspect before. Out: what nobody needs any more. Pure.
// Keys of a node that is no client go at once; an identity without a user, and a lock that its owner forgot, when they
// have been so, unchanged, for as long as a lease lives: by then whoever comes back has made its reference again.
import type { EtcdClient } from "@weft/shared/model/desired-etcd";
import { addressFolder, idFolder, lockFolders, nodeKey, valueFolder } from "./client-grants.ts";

export interface EtcdKey {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

interface Suspicion {
  readonly modRevision: number;
  /** ms */
  readonly since: number;
}

export type Suspects = ReadonlyMap<string, Suspicion>;

export interface GarbageGround {
  /** As Cilium calls the mesh. */
  readonly cluster: string;
  readonly clients: readonly EtcdClient[];
}

/** KVstoreLeaseTTL of an agent. */
const leaseMs = 15 * 60_000;
const nodeFolder = "cilium/state/nodes/v1/";

/**
 * @param keys all of them
 * @param references those in `valueFolder` with their values, read later: one that was made in between counts
 * @param now ms
 */
export function findGarbage(
  keys: readonly EtcdKey[],
  references: readonly EtcdKey[],
  before: Suspects,
  now: number,
  { cluster, clients }: GarbageGround,
): { readonly garbage: readonly EtcdKey[]; readonly suspects: Suspects } {
  const nodeKeys = new Set(clients.map(({ node }) => nodeKey(cluster, node)));
  const nodeAddresses = new Set(clients.map(({ address }) => address));
  const addressKeys = new Set(
    clients.flatMap(({ address, addresses }) =>
      [address, ...addresses].map((each) => `${addressFolder}${each}`),
    ),
  );
  const used = new Set(references.map(({ value }) => value));
  const isStranger = (key: string) =>
    (key.startsWith(nodeFolder) && !nodeKeys.has(key)) ||
    (key.startsWith(valueFolder) && !nodeAddresses.has(key.slice(key.lastIndexOf("/") + 1))) ||
    (key.startsWith(addressFolder) && !addressKeys.has(key));
  const isSuspect = (key: string) =>
    (key.startsWith(idFolder) && !used.has(key.slice(idFolder.length))) ||
    lockFolders.some((folder) => key.startsWith(folder));
  const suspects = new Map<string, Suspicion>();
  const garbage: EtcdKey[] = [];
  for (const each of keys) {
    if (isStranger(each.key)) garbage.push(each);
    if (!isSuspect(each.key)) continue;
    const known = before.get(each.key);
    const { modRevision } = each;
    const since = known?.modRevision === modRevision ? known.since : now;
    suspects.set(each.key, { modRevision, since });
    if (now - since >= leaseMs) garbage.push(each);
  }
  return { garbage, suspects };
}
