// In: the host, components, the SVIDs of Weft's own parts. Out: the section that runs this node's part of the mesh's own etcd,
// of real parts.
import type { ComponentStore } from "../components/component-store.ts";
import { EtcdKeeper } from "../etcd/etcd-keeper.ts";
import { OwnMember } from "../etcd/own-member.ts";
import type { Host } from "../host/host.ts";
import type { SvidWatch } from "../identity/svid-watch.ts";
import type { Log } from "../log.ts";
import { EtcdSection } from "../sections/etcd-section.ts";

export function makeEtcd(
  { host, log }: { readonly host: Host; readonly log: Log },
  components: ComponentStore,
  svids: SvidWatch,
): EtcdSection {
  const keeper = new EtcdKeeper({ host, log });
  return new EtcdSection({ host, svids, member: new OwnMember({ host, components, svids, keeper }) });
}
