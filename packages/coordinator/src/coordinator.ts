// The one loop: what nodes say and what operators ask, in; records, states sent and registration entries, out.
// Decisions are made by the pure parts; here they are recorded first and acted on after.
import type { DesiredState } from "@weft/shared/model/desired";
import type { NodeFacts } from "@weft/shared/model/facts";
import type { FleetStatus } from "@weft/shared/model/fleet";
import type { NodeReport } from "@weft/shared/model/report";
import { encodeDesired } from "@weft/shared/wire/desired-codec";
import type { Membership } from "./enrolment/membership.ts";
import type { Fleet } from "./fleet/fleet.ts";
import { hasFailed, isEnforced, isMember, statusOf, type Wanted } from "./fleet/node-view.ts";
import type { ReportKeeper } from "./fleet/report-keeper.ts";
import type { Logger } from "./logger.ts";
import type { ConditionBoard } from "./rollout/condition-board.ts";
import type { CourseWord } from "./rollout/course.ts";
import { resume } from "./rollout/generations.ts";
import type { ApplyOrder, ApplyOutcome, MeshAuthority } from "./rollout/mesh-authority.ts";
import { RolloutDesk } from "./rollout/rollout-desk.ts";
import type { Published } from "./server/bundle-publisher.ts";
import { NodeDesk } from "./server/node-desk.ts";
import type { Greeting, SessionEvents } from "./server/session-handler.ts";
import { dismissals, type Session, type Sessions } from "./server/sessions.ts";
import type { EnrolmentState } from "./store/records.ts";
import type { Store } from "./store/store.ts";

export interface CoordinatorParts {
  readonly store: Store;
  readonly authority: MeshAuthority;
  readonly fleet: Fleet;
  readonly sessions: Sessions;
  readonly membership: Membership;
  readonly reports: ReportKeeper;
  readonly board: ConditionBoard;
  readonly mesh: string;
  readonly trustDomain: string;
  readonly bundle: () => Published | undefined;
  readonly ownSvidExpires: () => Date | undefined;
  /** Registration entries are to be looked at; resolves when they were. */
  readonly reconcile: () => Promise<void>;
  readonly word: (node: string) => CourseWord;
  readonly now: () => Date;
  readonly log: Logger;
}

export class Coordinator implements SessionEvents {
  readonly rollout: RolloutDesk;
  readonly nodes: NodeDesk;
  readonly #parts: CoordinatorParts;

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
    this.nodes = new NodeDesk(parts);
    this.rollout = new RolloutDesk({
      ...parts,
      give: (states) => {
        for (const state of states) this.#give(state);
      },
      meshChanged: () => {
        this.#nameNodes();
        void parts.reconcile();
      },
    });
  }

  /** What was known before the last stop. Reports are given to `recall` by whoever can read them. */
  start(): void {
    const { store, fleet, authority, log } = this.#parts;
    const problems = authority.start();
    for (const problem of problems) log.error("the current mesh file is not understood", { problem });
    for (const node of store.nodes.list()) {
      fleet.note(node.name, { kind: "enrolment", state: node.state, at: node.joinedAt });
      if (node.lastSeen === undefined) continue;
      fleet.note(node.name, { kind: "connected", at: node.lastSeen, agentVersion: node.agentVersion });
      fleet.note(node.name, { kind: "disconnected" });
    }
    this.#nameNodes();
    this.#noteConflicts();
    for (const state of store.desired.list()) this.#noteWanted(state);
  }

  /** A node's last word before the last stop. */
  recall(node: string, report: NodeReport | undefined, facts: NodeFacts | undefined): void {
    const { fleet } = this.#parts;
    const at = fleet.view(node).lastSeen;
    if (at === undefined) return;
    if (report !== undefined) fleet.note(node, { kind: "report", at, report });
    if (facts !== undefined) fleet.note(node, { kind: "facts", at, facts });
  }

  apply(order: ApplyOrder): ApplyOutcome {
    const { authority, log } = this.#parts;
    const outcome = authority.apply(order);
    if (outcome.kind === "refused") return outcome;
    this.#nameNodes();
    for (const state of outcome.changed) this.#give(state);
    this.#tryAgain(order);
    this.rollout.look();
    const { revision, unchanged, changed } = outcome;
    log.info("applied", { revision, unchanged, changed: changed.map((state) => state.node) });
    void this.#parts.reconcile();
    return outcome;
  }

  /** Nodes that went back from what they were given hold still until they are given it anew: now, because of an apply. */
  #tryAgain(order: ApplyOrder): void {
    const { fleet, authority } = this.#parts;
    const pending = authority.inForce.pending();
    for (const view of fleet.views()) {
      const { name, wanted } = view;
      // One that a rollout comes to later holds what it holds until then.
      if (pending.has(name) || !isMember(view) || !hasFailed(view) || wanted === undefined) continue;
      const again = authority.raise(name, wanted.generation + 1, order);
      if (again !== undefined) this.#give(again);
    }
  }

  /** What every node is to be has changed without the mesh file: by a ban, or the end of one. */
  refresh(): void {
    for (const state of this.#parts.authority.refresh()) this.#give(state);
  }

  /** Members named by the mesh whose kernels do not carry the newest state. */
  behind(): string[] {
    return this.#parts.fleet
      .views()
      .filter((view) => isMember(view) && view.address !== "" && !isEnforced(view))
      .map((view) => view.name);
  }

  status(): FleetStatus {
    const { fleet, authority, board, mesh, trustDomain, now, ownSvidExpires } = this.#parts;
    const at = now();
    return {
      mesh,
      trustDomain,
      revision: authority.revision,
      at,
      nodes: fleet
        .views()
        .filter(
          (view) => view.address !== "" || (view.enrolment !== undefined && view.enrolment !== "removed"),
        )
        .map((view) => statusOf(view, at)),
      conditions: board.list(),
      coordinatorSvidExpires: ownSvidExpires(),
      rollout: this.rollout.status(),
    };
  }

  async leave(node: string): Promise<void> {
    this.#parts.membership.leave(node);
    await this.#parts.reconcile();
  }

  /** After a node's enrolment was recorded. */
  enrolmentChanged(node: string, state: EnrolmentState): void {
    const { fleet, sessions, reports, now, log } = this.#parts;
    log.info("enrolment", { node, state });
    if (state !== "enrolled") reports.drop(node);
    fleet.note(node, { kind: "enrolment", state, at: now() });
    this.#noteConflicts();
    const reason = state === "joining" ? "replaced" : dismissals[state];
    // One that leaves ends its connection itself, after it was answered.
    if (reason !== undefined && reason !== "left") sessions.of(node)?.dismiss(reason, this.#banEpoch());
    if (state !== "enrolled") void this.#parts.reconcile();
  }

  published({ signed, sequence }: Published): void {
    this.#parts.log.info("trust bundle published", { sequence });
    for (const session of this.#parts.sessions.all())
      session.send("bundle", { $case: "bundle", value: signed });
  }

  // What agents say.

  greeted(session: Session, greeting: Greeting): void {
    const { fleet, store, authority, reports, now, log } = this.#parts;
    const { node } = session;
    const at = now();
    log.info("agent connected", { node, generation: greeting.generation, version: greeting.agentVersion });
    fleet.note(node, { kind: "connected", at, agentVersion: greeting.agentVersion });
    reports.seen(node, at, greeting.agentVersion);
    const bundle = this.#parts.bundle();
    if (bundle !== undefined && bundle.sequence > greeting.bundleSequence)
      session.send("bundle", { $case: "bundle", value: bundle.signed });
    const wanted = store.desired.get(node);
    const decision = resume(greeting, wanted);
    if (decision.kind === "send" && wanted !== undefined) this.#give(wanted);
    if (decision.kind !== "raise") return;
    const raised = authority.raise(node, decision.generation);
    if (raised !== undefined) this.#give(raised);
  }

  seen(node: string): void {
    const { fleet, reports, sessions, now } = this.#parts;
    const at = now();
    fleet.note(node, { kind: "seen", at });
    const view = fleet.view(node);
    // One that said goodbye and still talks.
    if (!isMember(view)) sessions.of(node)?.dismiss("left", this.#banEpoch());
    else reports.seen(node, at, view.agentVersion);
  }

  reported(node: string, report: NodeReport, encoded: Uint8Array): void {
    const { fleet, store, reports, now, log } = this.#parts;
    fleet.note(node, { kind: "report", at: now(), report });
    this.seen(node);
    reports.say(node, { report: encoded });
    const view = fleet.view(node);
    log.info("report", { node, phase: report.phase, generation: report.generation });
    if (view.enrolment !== "joining" || !isEnforced(view)) return;
    store.transaction(() => {
      store.nodes.setState(node, "enrolled");
      store.audit.append({
        at: now(),
        actor: node,
        action: "confirmed",
        subject: node,
        detail: `generation ${report.generation}`,
      });
    });
    this.enrolmentChanged(node, "enrolled");
  }

  facts(node: string, facts: NodeFacts, encoded: Uint8Array): void {
    this.#parts.fleet.note(node, { kind: "facts", at: this.#parts.now(), facts });
    this.#parts.reports.say(node, { facts: encoded });
  }

  ended(node: string): void {
    this.#parts.log.info("agent disconnected", { node });
    this.#parts.fleet.note(node, { kind: "disconnected" });
  }

  /** Suspended nodes, each with what is known of the machines that claim its name. */
  #noteConflicts(): void {
    const { store, board } = this.#parts;
    const details = store.nodes
      .list()
      .filter((node) => node.state === "suspended")
      .map(({ name }) => {
        const entry = store.audit.newest(name, ["join conflict", "suspended"]);
        return `${name}: ${entry?.detail ?? "suspended"}`;
      });
    board.set("JOIN_CONFLICT", "enrolment", details.length === 0 ? undefined : details.join("; "));
  }

  #banEpoch(): number {
    return this.#parts.store.bans.epoch();
  }

  #give(state: DesiredState): void {
    this.#noteWanted(state);
    this.#parts.sessions.of(state.node)?.send("desired", { $case: "desired", value: encodeDesired(state) });
  }

  #noteWanted({ node, generation, digest, revision, cilium }: DesiredState): void {
    const enforcement = cilium === undefined ? "nftables" : "cilium";
    const wanted: Wanted = { generation, digest, revision, enforcement };
    this.#parts.fleet.note(node, { kind: "wanted", wanted });
  }

  #nameNodes(): void {
    const { fleet, authority } = this.#parts;
    const named = new Map(authority.mesh?.nodes.map((node) => [node.name, node.address]));
    for (const view of fleet.views())
      if (view.address !== "" && !named.has(view.name)) {
        if (view.enrolment === undefined) fleet.forget(view.name);
        else fleet.note(view.name, { kind: "unnamed" });
      }
    for (const [name, address] of named)
      if (fleet.view(name).address !== address) fleet.note(name, { kind: "named", address });
  }
}
