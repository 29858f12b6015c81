// In: what the mesh's own etcd is to be. Out: how it stands. Its users, roles and duties are not made yet: so its port for clients
// stays on loopback.
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredEtcdCluster } from "@weft/shared/model/desired-etcd";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { listMembers, ownUrl } from "./member-list.ts";
import type { EtcdStanding, Keeper } from "./own-member.ts";

export class EtcdKeeper implements Keeper {
  readonly #host: Host;

  constructor({ host }: { readonly host: Host; readonly log: Log }) {
    this.#host = host;
  }

  async keep(
    _desired: DesiredState,
    _cluster: DesiredEtcdCluster,
    signal: AbortSignal,
  ): Promise<EtcdStanding> {
    await listMembers(this.#host.exec, ownUrl, signal);
    return { isOpen: false, findings: [] };
  }
}
