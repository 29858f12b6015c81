// In: what of the mesh's own etcd a node is given, and its floor. Out: what of it may be. Pure. A machine with a floor runs no
// member unless the floor says so; to be a client goes with endpoints of Cilium (bound-cilium.ts), so this comes after it.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Floor } from "./floor.ts";
import { builtIn, type Refusals } from "./refusals.ts";

export function boundEtcd(
  content: DesiredContent,
  floor: Floor | undefined,
  refusals: Refusals,
): DesiredContent {
  const { etcdCluster, ...others } = content;
  if (etcdCluster === undefined) return content;
  const own = etcdCluster.members.find(({ node }) => node === content.node);
  const refused = own === undefined ? undefined : refusal(own.address, content.address, floor);
  if (refused !== undefined) refusals.add(refused.line, refused.what);
  const members =
    refused === undefined ? etcdCluster.members : etcdCluster.members.filter((each) => each !== own);
  const isMember = own !== undefined && refused === undefined;
  const isClient = content.cilium !== undefined && content.cilium.etcd === undefined;
  if (members.length === 0 || !(isMember || isClient)) return others;
  return { ...others, etcdCluster: { ...etcdCluster, members } };
}

function refusal(at: string, address: string, floor: Floor | undefined) {
  if (floor !== undefined && floor.etcd?.value !== true)
    return {
      line: floor.etcd?.line ?? 1,
      what: "a member of the mesh's etcd: the floor does not say `etcd: true`",
    };
  // it would listen there
  if (at !== address) return { line: builtIn, what: `a member of the mesh's etcd at ${at}, not ${address}` };
  return undefined;
}
