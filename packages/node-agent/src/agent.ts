// In: desired states, from disk at the start and from the coordinator after it. Out: this machine made so, section by
// section, looked at again every few seconds, and reports of it.
//
// INVARIANTS
// - Policy first and alone, then names and identity; a newer state waits for the step under way, never for the rest.
// - A state is on disk before any of it is applied.
// - "enforced" is said only of a revision and digest that were read from the kernel.
// - Nothing reaches a section but through the floor.
import { describeError, isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import { type FloorReport, noFloor } from "@weft/shared/model/floor";
import type { NodeReport, Phase, StepReport } from "@weft/shared/model/report";
import { superseded } from "./apply/runner.ts";
import { ConditionBook, type Finding } from "./conditions.ts";
import type { Gate } from "./floor/floor-gate.ts";
import type { Host } from "./host/host.ts";
import type { Log } from "./log.ts";
import { nodeReport } from "./node-report.ts";
import type { CiliumSection } from "./sections/cilium-section.ts";
import type { Cuts } from "./sections/cuts.ts";
import type { DnsSection } from "./sections/dns-section.ts";
import type { EtcdSection } from "./sections/etcd-section.ts";
import type { IdentitySection } from "./sections/identity-section.ts";
import type { PolicySection } from "./sections/policy-section.ts";
import { findingOf, otherwise, type SectionName, type SectionResult } from "./sections/section.ts";

export interface AgentParts {
  readonly host: Host;
  readonly log: Log;
  readonly node: string;
  readonly floor: Gate;
  readonly policy: PolicySection;
  readonly cuts: Cuts;
  readonly etcd: EtcdSection;
  readonly cilium: CiliumSection;
  readonly dns: DnsSection;
  readonly identity: IdentitySection;
  readonly keepDesired: (state: DesiredState) => Promise<void>;
  readonly nodeSvidExpires: () => Date | undefined;
  readonly publish: (report: NodeReport) => Promise<void>;
}

const lookAgainMs = 5_000;

export class Agent {
  readonly conditions: ConditionBook;
  readonly #parts: AgentParts;
  #current: DesiredState | undefined;
  #waiting: DesiredState | undefined;
  #running: AbortController | undefined;
  #wake: (() => void) | undefined;
  /** Asked to look again while it was looking. */
  #again = false;
  #phase: Phase = "applying";
  #sequence = 0;
  #published = "";
  #floor: FloorReport = noFloor;
  readonly #steps = new Map<string, readonly StepReport[]>();
  readonly #said = new Map<string, string>();

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.conditions = new ConditionBook(parts.host.clock);
  }

  /** What is confirmed, for the coordinator: the state whose rules the kernel was seen to carry. */
  get held(): { readonly generation: number; readonly digest: string } {
    const { enforced } = this.#parts.policy;
    const current = this.#current;
    if (current === undefined || this.#waiting !== undefined || enforced?.digest !== current.digest)
      return { generation: 0, digest: "" };
    return { generation: current.generation, digest: current.digest };
  }

  #is({ generation, digest }: DesiredState): boolean {
    return this.#current?.generation === generation && this.#current.digest === digest;
  }

  /** What this node is being made. */
  get current(): DesiredState | undefined {
    return this.#current;
  }

  /** @param isKept it is already on disk */
  submit(state: DesiredState, isKept = false): void {
    if (isKept) this.#current = state;
    else if (this.#waiting === undefined && this.#is(state)) {
      // A coordinator that does not know how far we are says it again: no reason to begin anew.
      this.lookAgain();
      return;
    } else this.#waiting = state;
    this.#running?.abort(superseded);
    this.#wake?.();
  }

  /** Something outside changed: look again now. */
  lookAgain(): void {
    this.#again = true;
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const trouble = await this.#once(signal);
      await this.#publish();
      // After trouble (a full disk) the state still waits; trying again at once would only burn the processor.
      const hasMore = this.#again || (this.#waiting !== undefined && !trouble);
      if (!hasMore) await this.#pause(signal);
    }
  }

  /** One look over everything. Says whether it came to nothing. */
  async #once(signal: AbortSignal): Promise<boolean> {
    const running = new AbortController();
    const stop = () => running.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    this.#running = running;
    this.#again = false;
    try {
      const isKept = await this.#takeWaitingIfKept();
      // A disk that takes no new state must not stop the repair of what is in force.
      if (this.#current !== undefined) await this.#reconcile(this.#current, running.signal);
      if (isKept) this.conditions.set("agent", []);
      return !isKept;
    } catch (failure) {
      if (!signal.aborted) this.#mishap(failure);
      return true;
    } finally {
      this.#running = undefined;
      signal.removeEventListener("abort", stop);
    }
  }

  /** Once over the sections, for a start that must not wait for the coordinator. */
  async enforcePolicyFromDisk(): Promise<void> {
    // What is still armed takes its time, and the coordinator to prove it: that is for the loop.
    if (this.#current === undefined || (await this.#parts.policy.hasPending())) return;
    await this.#enforce(this.#current, new AbortController().signal);
  }

  async #takeWaitingIfKept(): Promise<boolean> {
    try {
      await this.#takeWaiting();
      return true;
    } catch (failure) {
      this.#mishap(failure);
      return false;
    }
  }

  async #takeWaiting(): Promise<void> {
    const state = this.#waiting;
    if (state === undefined) return;
    await this.#parts.keepDesired(state);
    if (this.#waiting === state) this.#waiting = undefined;
    if (!this.#is(state)) {
      this.#parts.log.info(`generation ${state.generation} (revision ${state.revision}) is taken`);
      this.#phase = "applying";
    }
    this.#current = state;
  }

  async #reconcile(desired: DesiredState, signal: AbortSignal): Promise<void> {
    const { policy, cuts, dns, identity } = this.#parts;
    const rest = await this.#enforce(desired, signal);
    // Whoever waits for the rules waits for this report, not for what comes after.
    await this.#publish();
    await this.#note("cut", await cuts.ofMachine(policy.takeCutDue(), desired));
    if (signal.aborted || rest === undefined) return;
    // Side by side: they have nothing in common, and a join waits for both.
    await Promise.all([
      this.#section("dns", () => dns.reconcile(rest, signal)).then(() => this.#publish()),
      this.#section("identity", () => identity.reconcile(rest, signal)),
      this.#cilium({ ...rest, digest: desired.digest }, signal),
    ]);
  }

  async #note(part: string, findings: readonly Finding[] | undefined): Promise<void> {
    if (findings === undefined) return;
    this.conditions.set(part, findings);
    await this.#publish();
  }

  /** What the floor lets be of the rules. Gives what it lets be of the rest; undefined: that stays as it is. */
  async #enforce(desired: DesiredState, signal: AbortSignal): Promise<DesiredState | undefined> {
    const { policy, rest, findings, report } = await this.#parts.floor.admit(desired);
    this.#floor = report;
    await this.#section("floor", async () => ({ end: "nothing", steps: [], findings }));
    await this.#section("policy", () => this.#policy(desired, policy, signal));
    return rest;
  }

  async #policy(
    desired: DesiredState,
    admitted: DesiredState | undefined,
    signal: AbortSignal,
  ): Promise<SectionResult> {
    const { policy, etcd, log } = this.#parts;
    if (admitted !== undefined && (policy.enforced?.digest ?? desired.digest) !== desired.digest)
      await etcd.beforeRules(admitted, signal);
    const result = await (admitted === undefined ? policy.hold(signal) : policy.reconcile(admitted, signal));
    const { enforced } = policy;
    const before = this.#phase;
    if (enforced?.revision === desired.revision && enforced.digest === desired.digest)
      this.#phase = this.#enforced === undefined ? "applying" : "enforced";
    else if (result.end !== "superseded" && result.end !== "waiting")
      this.#phase = enforced === undefined ? "failed" : "reverted";
    if (this.#phase !== before) log.info(`revision ${desired.revision} is ${this.#phase}`);
    return result;
  }

  /** A section's trouble is its own: it becomes conditions, and the next section goes on. */
  async #section(name: SectionName, work: () => Promise<SectionResult>): Promise<void> {
    const { log } = this.#parts;
    let result: SectionResult;
    try {
      result = await work();
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      result = { end: "nothing", steps: [], findings: [findingOf(failure, otherwise[name])] };
    }
    if (result.end === "superseded") return;
    this.conditions.set(name, result.findings);
    if (result.steps.length > 0) this.#steps.set(name, result.steps);
    for (const step of result.steps)
      log.info(
        `${name}: ${step.step} ${step.subject} ${step.result} ${step.durationMs} ms ${step.detail}`.trim(),
      );
    const said = result.findings.map((finding) => `${finding.code}: ${finding.detail}`).join("\n");
    if (said !== (this.#said.get(name) ?? ""))
      log.warn(said === "" ? `${name}: all well again` : `${name}: ${said}`);
    this.#said.set(name, said);
  }

  #mishap(failure: unknown): void {
    if (!isWeftError(failure)) throw failure;
    const said = describeError(failure);
    if (this.#said.get("agent") !== said) this.#parts.log.error(said);
    this.#said.set("agent", said);
    this.conditions.set("agent", [findingOf(failure, "DISK_TROUBLE")]);
  }

  /** Services move only after rules that are in force, and only then is the node what it is to be. */
  async #cilium(desired: DesiredState, signal: AbortSignal): Promise<void> {
    const { policy, cuts, etcd, cilium } = this.#parts;
    if (policy.enforced !== undefined) await this.#section("etcd", () => etcd.reconcile(desired, signal));
    if (policy.enforced?.digest !== desired.digest) return;
    await this.#section("cilium", () => cilium.reconcile(desired, signal));
    if (this.#phase === "applying" && this.#enforced !== undefined) this.#phase = "enforced";
    await this.#publish();
    await this.#note("endpoint cut", await cuts.ofEndpoints(cilium.realised?.digest, desired, signal));
  }

  /** What the kernel was seen to carry, all of it: with endpoints, these too; after them, with nothing left of them. */
  get #enforced(): PolicySection["enforced"] {
    const { enforced } = this.#parts.policy;
    const { realised, wasHere } = this.#parts.cilium;
    if (enforced === undefined || (this.#current?.cilium === undefined && !wasHere)) return enforced;
    if (realised?.digest !== enforced.digest) return undefined;
    return realised.at > enforced.at ? { ...enforced, at: realised.at } : enforced;
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const pause = new AbortController();
    const stop = () => pause.abort();
    signal.addEventListener("abort", stop, { once: true });
    this.#wake = stop;
    await this.#parts.host.clock.sleep(lookAgainMs, pause.signal).catch(() => {});
    this.#wake = undefined;
    signal.removeEventListener("abort", stop);
  }

  report(): NodeReport {
    return nodeReport(this.#parts, {
      current: this.#current,
      enforced: this.#enforced,
      phase: this.#phase,
      steps: [...this.#steps.values()].flat(),
      conditions: this.conditions.standing(),
      sequence: this.#sequence,
      floor: this.#floor,
    });
  }

  /** Only what differs from the last report is worth one. */
  async #publish(): Promise<void> {
    if (this.#current === undefined) return;
    const report = this.report();
    const text = JSON.stringify({ ...report, sequence: 0 });
    if (text === this.#published) return;
    this.#published = text;
    this.#sequence += 1;
    try {
      await this.#parts.publish({ ...report, sequence: this.#sequence });
    } catch (failure) {
      this.#mishap(failure);
    }
  }
}
