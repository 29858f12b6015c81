// In: the member of the mesh's own etcd that this node is to run. Out: it, running from its own certificate and settings, and
// looked after by its keeper; or gone, after it has left the cluster.
//
// INVARIANTS
// - Its port for clients is on the node's address only once users and roles are in force, and stays there.
// - What etcd reads at its start alone (settings, hosts, bundle) changes only while it is stopped.
// - It leaves the cluster before it stops for good.
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredEtcdCluster, EtcdMember } from "@weft/shared/model/desired-etcd";
import { etcdMemberId } from "@weft/shared/model/ids";
import { clusterName, etcdPlaces, etcdUnit, memberSvidFiles } from "@weft/shared/render/etcd-places";
import {
  clientUrlOf,
  type EtcdBeginning,
  peerUrlOf,
  renderEtcdHosts,
  renderEtcdSettings,
} from "@weft/shared/render/etcd-settings";
import { putFiles } from "../cilium/agent-files.ts";
import type { StepBook } from "../cilium/step-book.ts";
import type { ComponentStore } from "../components/component-store.ts";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import { type SvidSource, writeSvidFiles } from "../identity/svid-files.ts";
import { type Decided, decideBeginning } from "./decide-beginning.ts";
import { etcdGroup } from "./etcd-group.ts";
import type { EtcdStanding } from "./etcd-keeper.ts";
import { readKeptSettings } from "./kept-settings.ts";
import { type ListedMember, membersIfAnswered } from "./member-list.ts";
import { takeDownEtcd } from "./take-down.ts";

/** Users, roles, members and duties, through this node's own member. Asked at every look at a member that runs. */
export interface Keeper {
  keep(desired: DesiredState, cluster: DesiredEtcdCluster, signal: AbortSignal): Promise<EtcdStanding>;
}

export interface MemberParts {
  readonly host: Host;
  readonly components: Pick<ComponentStore, "isGood" | "fetch">;
  readonly svids: SvidSource;
  readonly keeper: Keeper;
}

/** All of this look that does not change in it. */
interface Wanted {
  readonly desired: DesiredState;
  readonly cluster: DesiredEtcdCluster;
  readonly member: EtcdMember;
  readonly bundle: string | undefined;
}

const components = ["etcd", "etcdctl", "etcdutl"] as const;
const fetchAgainMs = 60_000;
/** The others may be restarting, too. */
const leaveWithinMs = 120_000;

export class OwnMember {
  readonly #parts: MemberParts;
  /** Bytes that are refused are not asked for at every look. */
  #unfetched: { readonly failure: unknown; readonly until: number } | undefined;
  #silentSince: number | undefined;
  #leavingSince: number | undefined;

  constructor(parts: MemberParts) {
    this.#parts = parts;
  }

  async run(
    book: StepBook,
    desired: DesiredState,
    cluster: DesiredEtcdCluster,
    member: EtcdMember,
    signal: AbortSignal,
  ): Promise<Finding[]> {
    const { host, svids } = this.#parts;
    this.#leavingSince = undefined;
    await this.#fetch(book, signal);
    const wish = {
      id: etcdMemberId(desired.trustDomain, desired.node),
      dnsNames: [member.name, clusterName(desired.dns.zone), "localhost"],
      files: memberSvidFiles,
      gid: await etcdGroup(host.exec),
    };
    const { bundle, isUsable, trouble } = await writeSvidFiles(host, book, wish, svids);
    const told: Finding[] = trouble === undefined ? [] : [{ code: "ETCD_DOWN", detail: trouble }];
    if (!isUsable) return told;
    // who asks the others whether they have begun shows them a certificate, and has to know theirs
    if (bundle !== undefined && (await host.files.info(etcdPlaces.settings)) === undefined)
      await putFiles(host, book, new Map([[memberSvidFiles.bundle, bundle]]), []);
    const wanted = { desired, cluster, member, bundle };
    return [...told, ...(await this.#begin(book, wanted, signal))];
  }

  async takeDown(book: StepBook): Promise<void> {
    const now = this.#parts.host.clock.now().getTime();
    this.#leavingSince ??= now;
    const isHurried = now - this.#leavingSince >= leaveWithinMs;
    await book.doIfAny("takeDown", etcdUnit, () => takeDownEtcd(this.#parts.host, isHurried));
    this.#leavingSince = undefined;
  }

  async #fetch(book: StepBook, signal: AbortSignal): Promise<void> {
    const { host, components: store } = this.#parts;
    const now = host.clock.now().getTime();
    for (const name of components) {
      if (await store.isGood(name)) continue;
      if (this.#unfetched !== undefined && now < this.#unfetched.until) throw this.#unfetched.failure;
      try {
        await book.do("fetchComponent", name, () => store.fetch(name, signal));
      } catch (failure) {
        signal.throwIfAborted();
        this.#unfetched = { failure, until: now + fetchAgainMs };
        throw failure;
      }
    }
    this.#unfetched = undefined;
  }

  async #begin(book: StepBook, wanted: Wanted, signal: AbortSignal): Promise<Finding[]> {
    const { host, keeper } = this.#parts;
    const text = await host.files.readText(etcdPlaces.settings);
    const kept = text === undefined ? undefined : readKeptSettings(text);
    const { beginning, wait = "" }: Decided = kept ?? (await this.#decided(wanted, signal));
    if (beginning === undefined) return [{ code: "ETCD_DOWN", detail: wait }];
    const wasOpen = kept?.isOpen === true;
    await this.#start(book, wanted, beginning, wasOpen);
    const { active } = await host.units.state(etcdUnit);
    if (active !== "active") {
      const isGone = wasOpen && (await this.#wasRemoved(wanted, signal));
      if (isGone) await book.doIfAny("takeDown", etcdUnit, () => takeDownEtcd(host, true));
      const detail = isGone
        ? "the others removed it and added it again: it joins anew"
        : `${etcdUnit} is ${active}`;
      return [{ code: "ETCD_DOWN", detail }];
    }
    const { isOpen, findings } = await keeper.keep(wanted.desired, wanted.cluster, signal);
    if (isOpen && !wasOpen) await this.#start(book, wanted, beginning, true);
    return [...findings];
  }

  async #decided({ cluster, member }: Wanted, signal: AbortSignal): Promise<Decided> {
    const { clock, files } = this.#parts.host;
    const answer = await this.#answer(cluster, member, signal);
    const now = clock.now().getTime();
    this.#silentSince = answer === undefined ? (this.#silentSince ?? now) : undefined;
    // copies stay when a member goes
    const wasMember = (await files.list(etcdPlaces.backups)).length > 0;
    const silentMs = wasMember ? undefined : now - (this.#silentSince ?? now);
    return decideBeginning(member, cluster, answer, silentMs);
  }

  async #answer(
    { members }: DesiredEtcdCluster,
    { node: own }: EtcdMember,
    signal: AbortSignal,
  ): Promise<ListedMember[] | undefined> {
    let answer: ListedMember[] | undefined;
    for (const { node, name } of members)
      if (node !== own) answer ??= await membersIfAnswered(this.#parts.host.exec, clientUrlOf(name), signal);
    return answer;
  }

  /**
   * While this node did not hear of it, as in a rollout that was stopped: its etcd ends at each start, with data of a member
   * that is none any more.
   */
  async #wasRemoved({ cluster, member }: Wanted, signal: AbortSignal): Promise<boolean> {
    const own = peerUrlOf(member.name);
    const answer = await this.#answer(cluster, member, signal);
    return answer?.some(({ peerUrls, hasBegun }) => !hasBegun && peerUrls.includes(own)) === true;
  }

  async #start(
    book: StepBook,
    { desired, cluster, member, bundle }: Wanted,
    beginning: EtcdBeginning,
    isOpen: boolean,
  ): Promise<void> {
    const { host } = this.#parts;
    // once it has been in force, a member whose data is gone must not make a cluster of its own beside the others'
    const settled = { ...beginning, isNew: beginning.isNew && !isOpen };
    const settings = renderEtcdSettings({
      ...{ mesh: desired.mesh, zone: desired.dns.zone, member, isOpen },
      beginning: settled,
    });
    const wanted = new Map([
      [etcdPlaces.hosts, renderEtcdHosts(cluster)],
      ...(bundle === undefined ? [] : [[memberSvidFiles.bundle, bundle] as const]),
      [etcdPlaces.settings, settings],
    ]);
    await putFiles(host, book, wanted, [], () => host.units.stop(etcdUnit));
    const { active, enabled } = await host.units.state(etcdUnit);
    if (!enabled) await book.do("enableUnit", etcdUnit, () => host.units.enable(etcdUnit));
    // where it keeps ending, systemd starts it again by itself
    if (active === "inactive" || active === "failed")
      await book.do("startUnit", etcdUnit, () => host.units.start(etcdUnit));
  }
}
