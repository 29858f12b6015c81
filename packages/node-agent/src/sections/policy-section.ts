// In: the desired state. Out: its rules in the kernel, proved by the kernel; who they name, as uids of this machine.

import { isWeftError } from "@weft/shared/errors/weft-error";
import { type DesiredState, defaultConfirmTimeoutSeconds } from "@weft/shared/model/desired";
import type { CutOccasion } from "@weft/shared/model/report";
import type { Step } from "@weft/shared/model/step";
import { renderArming, renderNftables, renderStaging, renderTracking } from "@weft/shared/render/nftables";
import type { Slot } from "@weft/shared/render/nftables-slots";
import type { ExecutorTable } from "../apply/executor.ts";
import { type RunResult, runSteps } from "../apply/runner.ts";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { BootFallback } from "../policy/boot-fallback.ts";
import { bootFindings } from "../policy/boot-outcome.ts";
import { type ConfirmedPolicy, readConfirmed } from "../policy/confirmed.ts";
import type { DeadMan } from "../policy/dead-man.ts";
import { portFindings } from "../policy/ephemeral-ports.ts";
import { type KernelTable, readCarried, readKernelTable, type TableMemory } from "../policy/kernel-table.ts";
import type { ChangeListener } from "../policy/kernel-watch.ts";
import { type RevertedState, readPending, readReverted } from "../policy/pending.ts";
import { isReverted, planHold, planPolicy, type WantedPolicy } from "../policy/plan-policy.ts";
import type { TableRepair } from "../policy/table-repair.ts";
import { UserLookup } from "../policy/user-lookup.ts";
import { places } from "../state/places.ts";
import { findingOf, type SectionResult } from "./section.ts";

export interface Enforced {
  readonly revision: number;
  readonly digest: string;
  readonly at: Date;
}

/** However quiet the kernel is. */
const readAtLeastEveryMs = 30_000;

export interface PolicyParts {
  readonly host: Host;
  readonly table: ExecutorTable;
  readonly log: Log;
  readonly watch: ChangeListener;
  readonly deadMan: DeadMan;
  readonly repair: TableRepair;
  /** Whether somebody is there who could prove a change. */
  readonly canProve: () => boolean;
  readonly memory: TableMemory;
}

interface Made extends SectionResult {
  /** The text of a policy that waits for being asked about what is reached. */
  readonly askFor: string | undefined;
}

export class PolicySection {
  readonly #host: Host;
  readonly #table: ExecutorTable;
  readonly #log: Log;
  readonly #watch: ChangeListener;
  readonly #deadMan: DeadMan;
  readonly #repair: TableRepair;
  readonly #canProve: () => boolean;
  readonly #memory: TableMemory;
  readonly #fallback: BootFallback;
  #read: { readonly at: number; readonly table: KernelTable | undefined } | undefined;
  readonly #users: UserLookup;
  #enforced: Enforced | undefined;
  #wanted:
    | {
        readonly desired: DesiredState;
        readonly uids: ReadonlyMap<string, number>;
        readonly policy: WantedPolicy;
      }
    | undefined;

  /** Rules of a different policy came into force, or went out of it. */
  #cutDue: CutOccasion | undefined = "started";

  constructor({ host, table, log, watch, deadMan, repair, canProve, memory }: PolicyParts) {
    this.#memory = memory;
    this.#watch = watch;
    this.#host = host;
    this.#users = new UserLookup(host);
    this.#fallback = new BootFallback(host.files);
    this.#table = table;
    this.#log = log;
    this.#deadMan = deadMan;
    this.#repair = repair;
    this.#canProve = canProve;
  }

  /** By the kernel's word of the last look. */
  get enforced(): Enforced | undefined {
    return this.#enforced;
  }

  async reconcile(desired: DesiredState, signal: AbortSignal): Promise<SectionResult> {
    if (!(await this.#repair.exclusively(() => this.#settle(signal))))
      return { end: "superseded", steps: [], findings: [] };
    const { uids, conditions } = await this.#users.resolve(desired);
    const ports = (await portFindings(this.#host.files, desired.policy.services)) ?? [];
    const wanted = this.#rendered(desired, uids);
    const made = await this.#made(desired, wanted, signal);
    return { ...made, findings: [...conditions, ...ports, ...made.findings, ...this.#repair.findings()] };
  }

  /** What is reached now is asked in between: a repair does not wait for that. */
  async #made(desired: DesiredState, wanted: WantedPolicy, signal: AbortSignal): Promise<SectionResult> {
    const make = () => this.#repair.exclusively(() => this.#make(desired, wanted, signal));
    const { askFor, ...first } = await make();
    if (askFor === undefined) return first;
    try {
      await this.#deadMan.ask(askFor, signal);
      const { askFor: _, ...then } = await make();
      return { ...then, steps: [...first.steps, ...then.steps] };
    } catch (failure) {
      if (signal.aborted && failure === signal.reason) return { ...first, end: "superseded" };
      if (!isWeftError(failure) || failure.code !== "WEFT-E404") throw failure;
      return first;
    } finally {
      this.#deadMan.unask();
    }
  }

  async #make(desired: DesiredState, wanted: WantedPolicy, signal: AbortSignal): Promise<Made> {
    const { files } = this.#host;
    const confirmed = await readConfirmed(files);
    const observed = {
      confirmed,
      kernel: await this.#asConfirmed(confirmed, await this.#kernel()),
      reverted: await readReverted(files),
    };
    const plan = planPolicy(wanted, observed);
    const { drift } = plan;
    const arm = plan.steps.find((step) => step.kind === "armPolicy");
    const isAsked = arm !== undefined && this.#deadMan.isAsked(arm.args.digest);
    const canArm = isAsked && this.#canProve();
    const askFor = !isAsked && this.#canProve() ? arm?.args.text : undefined;
    const steps = canArm ? plan.steps : plan.steps.filter((step) => step !== arm);
    if (observed.confirmed !== undefined && observed.confirmed.source !== "confirmed")
      this.#log.warn(`policy: ${places.confirmedPolicy} is damaged or gone; it is written anew`);
    if (drift !== undefined) this.#log.warn(`policy: ${drift}; putting it back`);
    const run = await this.#run(steps, signal);
    if (run !== undefined) this.#repair.changed();
    this.#note(run === undefined ? observed.kernel : await readCarried(this.#host.exec));
    // Nobody to prove it: not there, or gone since the last look.
    const isUnasked = isWeftError(run?.failure) && run.failure.code === "WEFT-E404";
    const isWaiting = isUnasked || steps.length < plan.steps.length;
    const findings: Finding[] = await bootFindings(files);
    if (this.#enforced?.digest === desired.digest) findings.push(...(await this.#keepFallback(desired)));
    const reverted = steps.length === 0 ? observed.reverted : await readReverted(files);
    const isHeld = isReverted(desired, reverted);
    if (isHeld && reverted !== undefined) findings.push(revertedFinding(desired, reverted));
    else if (run?.end === "reverted" && !isUnasked) findings.push(findingOf(run.failure, "POLICY_REFUSED"));
    if (!isUnasked && steps.some(({ kind }) => kind === "armPolicy"))
      this.#cutDue = isHeld ? "reverted" : "confirmed";
    else if (!isUnasked && steps.length > 0) this.#cutDue = "loaded";
    if (drift !== undefined && run?.end === "reverted")
      findings.push({ code: "POLICY_DRIFTED", detail: drift });
    if (isWaiting && (isUnasked || run?.end !== "reverted"))
      return { end: "waiting", steps: run?.steps ?? [], findings, askFor };
    return { end: run?.end ?? "nothing", steps: run?.steps ?? [], findings, askFor: undefined };
  }

  /** A disk that does not take it is no reason to say that the rules are not in force. */
  async #keepFallback(desired: DesiredState): Promise<Finding[]> {
    try {
      await this.#fallback.keep(desired);
      return [];
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return [findingOf(failure, "DISK_TROUBLE")];
    }
  }

  /** A foreign change that the repair has not heard of; what it cannot put back is planned like any other step. */
  async #asConfirmed(
    confirmed: ConfirmedPolicy | undefined,
    kernel: KernelTable | undefined,
  ): Promise<KernelTable | undefined> {
    if (confirmed === undefined) return kernel;
    try {
      const now = await this.#repair.putBack(confirmed, kernel);
      if (now !== kernel) this.#read = undefined;
      return now;
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return kernel;
    }
  }

  /** Nothing new is taken: what is confirmed stays in the kernel, or is put back there. */
  async hold(signal: AbortSignal): Promise<SectionResult> {
    if (!(await this.#repair.exclusively(() => this.#settle(signal))))
      return { end: "superseded", steps: [], findings: [] };
    const held = await this.#repair.exclusively(() => this.#keep(signal));
    return { ...held, findings: [...held.findings, ...this.#repair.findings()] };
  }

  async #keep(signal: AbortSignal): Promise<SectionResult> {
    const confirmed = await readConfirmed(this.#host.files);
    const kernel = await this.#asConfirmed(confirmed, await this.#kernel());
    const { steps, drift } = planHold({ confirmed, kernel });
    if (drift !== undefined) this.#log.warn(`policy: ${drift}; putting it back`);
    const run = await this.#run(steps, signal);
    this.#note(run === undefined ? kernel : await readCarried(this.#host.exec));
    const findings: Finding[] = run?.end === "reverted" ? [findingOf(run.failure, "POLICY_DRIFTED")] : [];
    return { end: run?.end ?? "nothing", steps: run?.steps ?? [], findings };
  }

  async #run(steps: readonly Step[], signal: AbortSignal): Promise<RunResult | undefined> {
    if (steps.length === 0) return undefined;
    this.#read = undefined;
    return this.#watch.apart(() => runSteps(steps, this.#table, this.#host.clock, signal));
  }

  /** By the last reading, as long as nothing can have changed since. */
  async #kernel(): Promise<KernelTable | undefined> {
    const last = this.#read;
    const isFresh = last !== undefined && this.#host.clock.now().getTime() - last.at < readAtLeastEveryMs;
    return isFresh && this.#watch.unchangedSince(last.at) ? last.table : this.#readKernel();
  }

  async #readKernel(): Promise<KernelTable | undefined> {
    const at = this.#host.clock.now().getTime();
    const table = await readKernelTable(this.#host.exec, this.#memory);
    this.#read = { at, table };
    return table;
  }

  /** A policy is armed that this process knows nothing of: an agent before it began. */
  async hasPending(): Promise<boolean> {
    return (await readPending(this.#host.files)) !== undefined;
  }

  /** What flows are to be looked at for, once: to be asked after the coordinator was told. */
  takeCutDue(): CutOccasion | undefined {
    const isRepaired = this.#repair.takeCutDue();
    const due = this.#cutDue ?? (isRepaired ? "repaired" : undefined);
    this.#cutDue = undefined;
    return due;
  }

  /** False when something newer, or the end, came in between. */
  async #settle(signal: AbortSignal): Promise<boolean> {
    try {
      const settled = await this.#deadMan.settle(signal);
      if (settled === undefined) return true;
      this.#read = undefined;
      this.#log.info(`policy: what was pending is ${settled}`);
      this.#cutDue = settled;
    } catch (failure) {
      if (signal.aborted && failure === signal.reason) return false;
      if (!isWeftError(failure) || failure.code !== "WEFT-E403") throw failure;
      this.#read = undefined;
      this.#log.warn(`policy: ${failure.message}: ${failure.why ?? ""}`);
      this.#cutDue = "reverted";
    }
    return true;
  }

  /** Rendered once for a state and its uids: a look every few seconds should cost no more than asking the kernel. */
  #rendered(desired: DesiredState, uids: ReadonlyMap<string, number>): WantedPolicy {
    const held = this.#wanted;
    if (held?.desired === desired && held.uids === uids) return held.policy;
    const { generation, revision, digest } = desired;
    const input = { content: desired, revision, digest, uids };
    const timeoutMs = (desired.confirmTimeoutSeconds ?? defaultConfirmTimeoutSeconds) * 1000;
    const texts = new Map<Slot, string>();
    const textIn = (slot: Slot) => {
      const text = texts.get(slot) ?? renderNftables(input, slot);
      texts.set(slot, text);
      return text;
    };
    const policy: WantedPolicy = {
      generation,
      revision,
      digest,
      textIn,
      stageIn: (slot) => renderStaging(input, slot),
      arming: () => renderArming(digest, timeoutMs),
      tracking: () => renderTracking(desired),
    };
    this.#wanted = { desired, uids, policy };
    return policy;
  }

  #note(kernel: Pick<KernelTable, "revision" | "digest"> | undefined): void {
    if (kernel === undefined || kernel.revision === 0) this.#enforced = undefined;
    else if (this.#enforced?.revision !== kernel.revision || this.#enforced.digest !== kernel.digest) {
      const { revision, digest } = kernel;
      const since = this.#deadMan.judgesSince;
      const at = since?.digest === digest ? since.at : this.#host.clock.now();
      this.#enforced = { revision, digest, at };
    }
  }
}

function revertedFinding({ revision }: DesiredState, { reason }: RevertedState): Finding {
  return { code: "POLICY_REVERTED", detail: `revision ${revision} is undone: ${reason}` };
}
