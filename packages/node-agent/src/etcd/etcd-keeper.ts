// In: what the mesh's own etcd is to be. Out: it so, as far as a member's node sees to it: alarms of its own member, a copy a
// day, and, where it leads, the duties of the cluster. Called every few seconds; looks once a minute, and whenever something
// is not as it should be.
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredEtcdCluster, EtcdMember } from "@weft/shared/model/desired-etcd";
import { etcdPlaces, memberSvidFiles } from "@weft/shared/render/etcd-places";
import { peerUrlOf } from "@weft/shared/render/etcd-settings";
import { componentPath } from "../components/component-store.ts";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { findingOf } from "../sections/section.ts";
import { ClusterDuties } from "./cluster-duties.ts";
import { cureAlarms, memberOf } from "./cure-alarm.ts";
import { Etcdctl, type EtcdctlPlaces } from "./etcdctl.ts";
import { holdLeaderKey } from "./leader-key.ts";
import { ownUrl } from "./member-list.ts";
import { Snapshots } from "./snapshots.ts";

export interface EtcdStanding {
  /** Somebody has to be a user of etcd now. False, too, as long as nobody could be asked since this agent started. */
  readonly isOpen: boolean;
  readonly findings: readonly Finding[];
}

export interface EtcdGround extends EtcdctlPlaces {
  readonly backups: string;
  readonly peerUrl: (member: EtcdMember) => string;
}

export const etcdGround: EtcdGround = {
  program: componentPath("etcdctl"),
  endpoint: ownUrl,
  svid: memberSvidFiles,
  backups: etcdPlaces.backups,
  peerUrl: ({ name }) => peerUrlOf(name),
};

const roundMs = 60_000;

export class EtcdKeeper {
  readonly #host: Host;
  readonly #log: Log;
  readonly #ground: EtcdGround;
  readonly #etcd: Etcdctl;
  readonly #snapshots: Snapshots;
  readonly #duties: ClusterDuties;
  #isOpen = false;
  #quiet: { readonly wish: string; readonly until: number; readonly standing: EtcdStanding } | undefined;

  constructor({ host, log }: { readonly host: Host; readonly log: Log }, ground: EtcdGround = etcdGround) {
    this.#host = host;
    this.#log = log;
    this.#ground = ground;
    this.#etcd = new Etcdctl(host.exec, ground);
    this.#snapshots = new Snapshots(host, this.#etcd, ground.backups);
    const { peerUrl } = ground;
    this.#duties = new ClusterDuties({ host, log, etcd: this.#etcd, snapshots: this.#snapshots, peerUrl });
  }

  /** @throws nothing but the reason of an abort */
  async keep(
    desired: Pick<DesiredState, "mesh" | "node">,
    cluster: DesiredEtcdCluster,
    signal: AbortSignal,
  ): Promise<EtcdStanding> {
    const wish = JSON.stringify([desired.mesh, desired.node, cluster]);
    const now = this.#host.clock.now().getTime();
    if (this.#quiet?.wish === wish && now < this.#quiet.until) return this.#quiet.standing;
    this.#quiet = undefined;
    const findings: Finding[] = [];
    let isDone = false;
    try {
      isDone = await this.#round(desired, cluster, findings, signal);
    } catch (failure) {
      signal.throwIfAborted();
      findings.push(findingOf(failure, "ETCD_DOWN"));
    }
    const standing = { isOpen: this.#isOpen, findings };
    // an alarm that stands could not be cured: trying again at once would only keep a member busy
    const isHopeless = findings.some(({ code }) => code === "ETCD_ALARM");
    if ((isDone && this.#isOpen) || isHopeless) this.#quiet = { wish, until: now + roundMs, standing };
    return standing;
  }

  /** @returns whether there is nothing to do before the next round */
  async #round(
    desired: Pick<DesiredState, "mesh" | "node">,
    cluster: DesiredEtcdCluster,
    findings: Finding[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const etcd = this.#etcd;
    const member = cluster.members.find(({ node }) => node === desired.node);
    const [status] = await etcd.statuses(signal);
    // one that learns answers nothing else; the leader makes it a member when it has caught up
    if (member === undefined || status === undefined || status.isLearner) return false;
    const found = memberOf(await etcd.members(signal), this.#ground.peerUrl(member));
    if (found === undefined) return false;
    this.#isOpen = (await etcd.auth(signal)).isEnabled;
    findings.push(...(await cureAlarms(etcd, this.#log, { id: found.id, status }, signal)));
    const term = await holdLeaderKey(etcd, desired.node, signal);
    const duties =
      term === undefined
        ? { findings: [], isDone: true }
        : await this.#duties.work(term, desired, cluster, signal);
    findings.push(...duties.findings);
    if (!this.#isOpen) this.#isOpen = (await etcd.auth(signal)).isEnabled;
    await this.#snapshots.takeDaily(signal);
    return duties.isDone;
  }
}
