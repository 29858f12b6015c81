// In: the desired state. Out: its zone served on this machine and the host's resolver pointed at it. Between changes the
// probe asks every few seconds whether names really resolve.
import type { DesiredState } from "@weft/shared/model/desired";
import type { DnsReport } from "@weft/shared/model/report";
import type { ExecutorTable } from "../apply/executor.ts";
import { runSteps } from "../apply/runner.ts";
import type { Finding } from "../conditions.ts";
import type { DnsDecision } from "../dns/decide-dns-mode.ts";
import { decideForNode, observeDns } from "../dns/observe-dns.ts";
import { planDns } from "../dns/plan-dns.ts";
import { DnsProbe } from "../dns/probe.ts";
import type { DnsClient } from "../dns/query.ts";
import type { Host } from "../host/host.ts";
import { findingOf, type SectionResult } from "./section.ts";
import { WantedPart } from "./wanted-part.ts";

/** A takeover that does not prove itself is tried again, but not every few seconds. */
const retryAfterMs = 30_000;

export class DnsSection {
  readonly #host: Host;
  readonly #table: ExecutorTable;
  readonly #probe: DnsProbe;
  readonly #wanted = new WantedPart();
  #decision: { readonly wanted: string; readonly value: DnsDecision } | undefined;
  #failed: { readonly wanted: string; readonly finding: Finding; readonly until: number } | undefined;
  #report: DnsReport = { mode: "off", state: "off", detail: "nothing was wanted yet" };

  constructor(host: Host, table: ExecutorTable, client: DnsClient) {
    this.#host = host;
    this.#table = table;
    this.#probe = new DnsProbe(host, client);
  }

  get report(): DnsReport {
    return this.#report;
  }

  async reconcile(desired: DesiredState, signal: AbortSignal): Promise<SectionResult> {
    const held = this.#decision;
    const wanted = this.#wantedOf(desired);
    if (held?.wanted === wanted) {
      const check = await this.#probe.check(desired, held.value);
      this.#report = check.report;
      const waits = this.#failed !== undefined && this.#host.clock.now().getTime() < this.#failed.until;
      if (waits || (!check.repair && this.#failed === undefined))
        return { end: "nothing", steps: [], findings: [...check.conditions, ...this.#failing(wanted)] };
    }
    return await this.#plan(desired, wanted, signal);
  }

  /** All of a state that is looked at here: a change of policy alone is none of names. */
  #wantedOf(desired: DesiredState): string {
    return this.#wanted.of(desired, ({ node, address, dns, cilium }) => ({
      node,
      address,
      dns,
      range: cilium?.range,
    }));
  }

  #failing(wanted: string): Finding[] {
    return this.#failed?.wanted === wanted ? [this.#failed.finding] : [];
  }

  async #plan(desired: DesiredState, wanted: string, signal: AbortSignal): Promise<SectionResult> {
    const { clock } = this.#host;
    const decision = await decideForNode(this.#host, desired);
    const serial = Math.floor(clock.now().getTime() / 1000);
    const steps = planDns(desired, await observeDns(this.#host), decision, serial);
    const run = await runSteps(steps, this.#table, clock, signal);
    if (run.end === "superseded") return { end: run.end, steps: run.steps, findings: [] };
    this.#decision = { wanted, value: decision };
    this.#failed =
      run.end === "reverted"
        ? { wanted, finding: findingOf(run.failure, "DNS_DOWN"), until: clock.now().getTime() + retryAfterMs }
        : undefined;
    const check = await this.#probe.check(desired, decision);
    this.#report = check.report;
    const end = steps.length === 0 ? "nothing" : run.end;
    return { end, steps: run.steps, findings: [...check.conditions, ...this.#failing(wanted)] };
  }
}
