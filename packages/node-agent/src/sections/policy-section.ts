// In: the desired state. Out: its rules in the kernel, proved by the kernel; who they name, as uids of this machine.

import type { DesiredState } from "@weft/shared/model/desired";
import { renderNftables, renderTracking } from "@weft/shared/render/nftables";
import type { ExecutorTable } from "../apply/executor.ts";
import { runSteps } from "../apply/runner.ts";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { readConfirmed } from "../policy/confirmed.ts";
import { parseEphemeralPorts, portConditions } from "../policy/ephemeral-ports.ts";
import { type KernelTable, readKernelTable, TableMemory } from "../policy/kernel-table.ts";
import type { Unchanged } from "../policy/kernel-watch.ts";
import { planPolicy, type WantedPolicy } from "../policy/plan-policy.ts";
import { type ResolvedUsers, resolveUsers } from "../policy/users.ts";
import { findingOf, type SectionResult } from "./section.ts";

export interface Enforced {
  readonly revision: number;
  readonly digest: string;
  readonly at: Date;
}

/** Names may also come from a directory service, which changes no file here. */
const lookUpEveryMs = 60_000;
/** A repair takes milliseconds; people should see that it was needed. */
const driftShownMs = 60_000;
/** However quiet the kernel is. */
const readAtLeastEveryMs = 30_000;

interface Lookup {
  readonly users: ResolvedUsers;
  readonly at: number;
  readonly passwd: string;
  readonly digest: string;
}

export class PolicySection {
  readonly #host: Host;
  readonly #table: ExecutorTable;
  readonly #log: Log;
  readonly #watch: Unchanged;
  readonly #memory = new TableMemory();
  #read: { readonly at: number; readonly table: KernelTable | undefined } | undefined;
  #lookup: Lookup | undefined;
  #drift: { readonly detail: string; readonly until: number } | undefined;
  #enforced: Enforced | undefined;
  #wanted:
    | {
        readonly desired: DesiredState;
        readonly uids: ReadonlyMap<string, number>;
        readonly policy: WantedPolicy;
      }
    | undefined;

  constructor(host: Host, table: ExecutorTable, log: Log, watch: Unchanged) {
    this.#watch = watch;
    this.#host = host;
    this.#table = table;
    this.#log = log;
  }

  /** By the kernel's word of the last look. */
  get enforced(): Enforced | undefined {
    return this.#enforced;
  }

  async reconcile(desired: DesiredState, signal: AbortSignal): Promise<SectionResult> {
    const { files, clock } = this.#host;
    const { uids, conditions } = await this.#users(desired);
    const wanted = this.#rendered(desired, uids);
    const observed = {
      confirmed: await readConfirmed(files),
      kernel: await this.#kernel(),
    };
    const { steps, drift } = planPolicy(wanted, observed);
    if (drift !== undefined) {
      this.#log.warn(`policy: ${drift}; putting it back`);
      this.#drift = { detail: drift, until: clock.now().getTime() + driftShownMs };
    }
    const run = steps.length === 0 ? undefined : await runSteps(steps, this.#table, clock, signal);
    this.#note(run === undefined ? observed.kernel : await this.#readKernel());
    const findings: Finding[] = [...conditions, ...(await this.#ports(desired))];
    if (run?.end === "reverted") findings.push(findingOf(run.failure, "POLICY_REFUSED"));
    if (drift !== undefined && run?.end === "reverted")
      findings.push({ code: "POLICY_DRIFTED", detail: drift });
    else if (this.#drift !== undefined && clock.now().getTime() < this.#drift.until)
      findings.push({ code: "POLICY_REPAIRED", detail: this.#drift.detail });
    return { end: run?.end ?? "nothing", steps: run?.steps ?? [], findings };
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

  /** Rendered once for a state and its uids: a look every few seconds should cost no more than asking the kernel. */
  #rendered(desired: DesiredState, uids: ReadonlyMap<string, number>): WantedPolicy {
    const held = this.#wanted;
    if (held?.desired === desired && held.uids === uids) return held.policy;
    const { revision, digest } = desired;
    const text = renderNftables({ content: desired, revision, digest, uids });
    const policy = { text, revision, digest, tracking: renderTracking(desired) };
    this.#wanted = { desired, uids, policy };
    return policy;
  }

  #note(kernel: KernelTable | undefined): void {
    if (kernel === undefined || kernel.revision === 0) this.#enforced = undefined;
    else if (this.#enforced?.revision !== kernel.revision || this.#enforced.digest !== kernel.digest)
      this.#enforced = { revision: kernel.revision, digest: kernel.digest, at: this.#host.clock.now() };
  }

  async #users(desired: DesiredState): Promise<ResolvedUsers> {
    const { files, clock } = this.#host;
    const passwd = (await files.readText("/etc/passwd")) ?? "";
    const now = clock.now().getTime();
    const held = this.#lookup;
    if (held?.passwd === passwd && held.digest === desired.digest && now - held.at < lookUpEveryMs)
      return held.users;
    const users = await resolveUsers(this.#host, desired);
    this.#lookup = { users, at: now, passwd, digest: desired.digest };
    return users;
  }

  async #ports(desired: DesiredState): Promise<Finding[]> {
    const { files } = this.#host;
    const range = await files.readText("/proc/sys/net/ipv4/ip_local_port_range");
    const reserved = await files.readText("/proc/sys/net/ipv4/ip_local_reserved_ports");
    if (range === undefined || reserved === undefined) return [];
    return portConditions(desired.policy.services, parseEphemeralPorts(range, reserved));
  }
}
