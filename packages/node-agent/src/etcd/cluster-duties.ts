// In: what the cluster is to be, and the term of this node as its leader. Out: the cluster so, step by step: users and their
// roles, members, the heartbeat, and nothing in it that nobody needs. In Kubernetes Cilium's operator does the last two.
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredEtcdCluster, EtcdClient, EtcdMember } from "@weft/shared/model/desired-etcd";
import { ciliumNamespace } from "@weft/shared/render/cilium-labels";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { findingOf } from "../sections/section.ts";
import { clientGrants, valueFolder } from "./client-grants.ts";
import { type Etcdctl, isPlainKey } from "./etcdctl.ts";
import { findGarbage, type Suspects } from "./find-garbage.ts";
import { stillLeads } from "./leader-key.ts";
import { type FoundMember, type MemberChange, planMembers } from "./plan-members.ts";
import { planUsers } from "./plan-users.ts";
import type { Snapshots } from "./snapshots.ts";

export interface DutyParts {
  readonly host: Host;
  readonly log: Log;
  readonly etcd: Etcdctl;
  readonly snapshots: Snapshots;
  readonly peerUrl: (member: EtcdMember) => string;
}

export interface DutyResult {
  readonly findings: readonly Finding[];
  /** There is nothing more to do now. */
  readonly isDone: boolean;
}

/** What is left is done at the next call: whoever calls has other things to look after. */
const userStepsMs = 10_000;
const sweepMs = 10_000;
const mostDeletions = 200;
const heartbeatKey = "cilium/.heartbeat";

export class ClusterDuties {
  readonly #parts: DutyParts;
  #term = 0;
  /** Of this term: who led in between has seen them or not. */
  #suspects: Suspects = new Map();
  /** Of users and roles that were found as they should be. */
  #settled: { readonly wish: string; readonly revision: number } | undefined;

  constructor(parts: DutyParts) {
    this.#parts = parts;
  }

  async work(
    term: number,
    desired: Pick<DesiredState, "mesh">,
    cluster: DesiredEtcdCluster,
    signal: AbortSignal,
  ): Promise<DutyResult> {
    const mesh = ciliumNamespace(desired.mesh);
    if (this.#term !== term) this.#suspects = new Map();
    this.#term = term;
    // a member that is full takes no heartbeat, and what a client may write can be too much to be read: the rest is
    // done all the same
    const beat = await this.#attempt(signal, () => this.#beat(term, signal));
    const areUsersDone = await this.#keepUsers(mesh, cluster, signal);
    const members = await this.#keepMembers(cluster, signal);
    const swept = await this.#attempt(signal, () => this.#sweep(term, mesh, cluster.clients, signal));
    return {
      findings: [...beat.findings, ...members.findings, ...swept.findings],
      isDone: beat.isDone && areUsersDone && members.isDone && swept.isDone,
    };
  }

  async #keepUsers(mesh: string, cluster: DesiredEtcdCluster, signal: AbortSignal): Promise<boolean> {
    const { host, etcd, log } = this.#parts;
    const wish = JSON.stringify([mesh, cluster]);
    const auth = await etcd.auth(signal);
    if (auth.isEnabled && this.#settled?.wish === wish && this.#settled.revision === auth.revision)
      return true;
    const steps = planUsers(
      {
        admins: cluster.members.map(({ name }) => name),
        clients: new Map(cluster.clients.map((client) => [client.name, clientGrants(client, mesh)])),
      },
      { isEnabled: auth.isEnabled, users: await etcd.users(signal), roles: await etcd.roles(signal) },
    );
    const deadline = host.clock.now().getTime() + userStepsMs;
    for (const step of steps) {
      if (host.clock.now().getTime() > deadline) return false;
      await etcd.do(step, signal);
    }
    if (steps.length > 0) log.info(`etcd: its users and roles are those of the mesh (${steps.length} steps)`);
    // a change by another hand in between is found at the next round
    else this.#settled = { wish, revision: auth.revision };
    return steps.length === 0;
  }

  async #keepMembers({ members }: DesiredEtcdCluster, signal: AbortSignal): Promise<DutyResult> {
    const { etcd, peerUrl } = this.#parts;
    const found = await etcd.members(signal);
    const statuses = await etcd.statuses(
      signal,
      found.flatMap(({ clientUrls }) => clientUrls),
    );
    const answers = ({ clientUrls }: FoundMember) =>
      statuses.some(
        ({ endpoint, hasLeader, errors }) =>
          clientUrls.includes(endpoint) && hasLeader && errors.length === 0,
      );
    const wanted = members.map((member) => ({ node: member.node, peerUrl: peerUrl(member) }));
    const change = planMembers(wanted, found, answers);
    if (change === undefined) return { findings: [], isDone: true };
    if (change.change === "wait")
      return {
        findings: [down(`the member of ${change.node} does not answer, or is not well`)],
        isDone: true,
      };
    const leader = statuses.find(({ isLeader }) => isLeader)?.endpoint;
    return await this.#changeMembers(change, leader, signal);
  }

  async #changeMembers(
    change: Exclude<MemberChange, { readonly change: "wait" }>,
    leader: string | undefined,
    signal: AbortSignal,
  ): Promise<DutyResult> {
    const { etcd, log, snapshots } = this.#parts;
    if (change.change === "promote") {
      const isReady = leader !== undefined && (await etcd.promote(change.id, leader, signal));
      if (isReady) return { findings: [], isDone: false };
      return {
        findings: [down(`the member of ${change.node} was added and has not caught up yet`)],
        isDone: false,
      };
    }
    await snapshots.take(signal);
    if (change.change === "add") {
      const { node, peerUrl } = change;
      await etcd.do(["member", "add", node, `--peer-urls=${peerUrl}`, "--learner"], signal);
      log.info(`etcd: added the member of ${node}`);
    } else {
      await etcd.do(["member", "remove", change.id], signal);
      log.info(`etcd: removed the member ${change.peerUrl}`);
    }
    return { findings: [], isDone: false };
  }

  async #attempt(signal: AbortSignal, work: () => Promise<boolean>): Promise<DutyResult> {
    try {
      return { findings: [], isDone: await work() };
    } catch (failure) {
      signal.throwIfAborted();
      return { findings: [findingOf(failure, "ETCD_DOWN")], isDone: false };
    }
  }

  /** @returns false: another leads */
  async #beat(term: number, signal: AbortSignal): Promise<boolean> {
    const { host, etcd } = this.#parts;
    const time = host.clock.now().toISOString();
    return (await etcd.transact([stillLeads(term)], [`put ${heartbeatKey} ${time}`], signal)) !== undefined;
  }

  /** @returns false: there is more */
  async #sweep(
    term: number,
    mesh: string,
    clients: readonly EtcdClient[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { host, etcd, log } = this.#parts;
    const now = host.clock.now().getTime();
    const keys = await etcd.keysBelow("cilium/", signal);
    const references = await etcd.below(valueFolder, signal);
    const { garbage, suspects } = findGarbage(keys, references, this.#suspects, now, {
      cluster: mesh,
      clients,
    });
    this.#suspects = suspects;
    const plain = garbage.filter(({ key }) => isPlainKey(key));
    let deleted = 0;
    let isLate = false;
    for (const { key, modRevision } of plain.slice(0, mostDeletions)) {
      isLate = host.clock.now().getTime() > now + sweepMs;
      if (isLate) break;
      const isSame = { of: "mod", key, is: modRevision } as const;
      const done = await etcd.transact([stillLeads(term), isSame], [`del "${key}"`], signal);
      if (done !== undefined) deleted += 1;
    }
    if (deleted > 0) log.info(`etcd: deleted ${deleted} keys that nobody needs any more`);
    return !isLate && plain.length <= mostDeletions;
  }
}

function down(detail: string): Finding {
  return { code: "ETCD_DOWN", detail };
}
