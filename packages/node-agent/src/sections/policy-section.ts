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
  readonly #memory = new TableMemory();
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

  constructor(host: Host, table: ExecutorTable, log: Log) {
    this.#host = host;
    this.#table = table;
    this.#log = log;
  }

  /** By the kernel's word of the last look. */
  get enforced(): Enforced | undefined {
    return this.#enforced;
  }

  async reconcile(desired: DesiredState, signal: AbortSignal): Promise<SectionResult> {
    const { exec, files, clock } = this.#host;
    const { uids, conditions } = await this.#users(desired);
    const wanted = this.#rendered(desired, uids);
    const observed = {
      confirmed: await readConfirmed(files),
      kernel: await readKernelTable(exec, this.#memory),
    };
    const { steps, drift } = planPolicy(wanted, observed);
    if (drift !== undefined) {
      this.#log.warn(`policy: ${drift}; putting it back`);
      this.#drift = { detail: drift, until: clock.now().getTime() + driftShownMs };
    }
    const run = steps.length === 0 ? undefined : await runSteps(steps, this.#table, clock, signal);
    this.#note(run === undefined ? observed.kernel : await readKernelTable(exec, this.#memory));
    const findings: Finding[] = [...conditions, ...(await this.#ports(desired))];
    if (run?.end === "reverted") findings.push(findingOf(run.failure, "POLICY_REFUSED"));
    if (drift !== undefined && run?.end === "reverted")
      findings.push({ code: "POLICY_DRIFTED", detail: drift });
    else if (this.#drift !== undefined && clock.now().getTime() < this.#drift.until)
      findings.push({ code: "POLICY_REPAIRED", detail: this.#drift.detail });
    return { end: run?.end ?? "nothing", steps: run?.steps ?? [], findings };
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
