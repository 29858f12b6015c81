// In: what a node with Cilium is given. Out: the etcd its agent uses: the operator's, or the mesh's own. Pure.
import { WeftError } from "../errors/weft-error.ts";
import type { DesiredContent } from "../model/desired.ts";
import type { DesiredCilium, DesiredEtcd } from "../model/desired-cilium.ts";
import { byText } from "../plan/text-order.ts";
import { ciliumSvidFiles } from "./etcd-places.ts";
import { clientUrlOf } from "./etcd-settings.ts";

/** @throws WEFT-E003 where neither was given */
export function agentEtcd(
  { etcd }: Pick<DesiredCilium, "etcd">,
  { etcdCluster }: Pick<DesiredContent, "etcdCluster">,
): DesiredEtcd {
  if (etcd !== undefined) return etcd;
  if (etcdCluster === undefined) throw new WeftError("WEFT-E003", "Cilium was given, and no etcd for it");
  return {
    members: etcdCluster.members.map(({ name }) => clientUrlOf(name)).toSorted(byText),
    ca: ciliumSvidFiles.bundle,
    certificate: ciliumSvidFiles.certificate,
    key: ciliumSvidFiles.key,
  };
}
