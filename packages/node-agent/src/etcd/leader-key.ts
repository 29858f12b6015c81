// In: etcd, and this node's name. Out: whether this node does what has to be done once in the cluster, and since which
// revision: whoever compares that in its transactions does nothing any more as soon as another has taken over.
import type { EtcdCondition, Etcdctl } from "./etcdctl.ts";

export const leaderKey = "weft/leader";
/** Three rounds. */
const leaseSeconds = 180;

/** Holds until somebody else leads. */
export function stillLeads(term: number): EtcdCondition {
  return { of: "create", key: leaderKey, is: term };
}

/** @returns the revision at which this node became the leader; undefined: another is, or nobody yet */
export async function holdLeaderKey(
  etcd: Etcdctl,
  node: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const found = await etcd.key(leaderKey, signal);
  if (found === undefined) {
    const lease = await etcd.grantLease(leaseSeconds, signal);
    return await etcd.transact(
      [stillLeads(0)],
      [`put ${leaderKey} ${node}/${lease} --lease=${lease}`],
      signal,
    );
  }
  const [holder, lease = ""] = found.value.split("/");
  if (holder !== node) return undefined;
  return (await etcd.keepLease(lease, signal)) ? found.createRevision : undefined;
}
