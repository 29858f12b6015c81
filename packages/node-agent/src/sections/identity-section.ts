// In: the desired state and the mesh's roots. Out: the SPIRE agent of this machine, configured, attested and healthy, so
// that services fetch their SVIDs. Between changes only its health is asked.
import type { DesiredState } from "@weft/shared/model/desired";
import type { ExecutorTable } from "../apply/executor.ts";
import { runSteps } from "../apply/runner.ts";
import type { ComponentStore } from "../components/component-store.ts";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import { observeIdentity } from "../identity/observe-identity.ts";
import { planIdentity } from "../identity/plan-identity.ts";
import { readAgentSvidExpiry } from "../identity/spire-files.ts";
import type { HealthProbe } from "../identity/spire-health.ts";
import { findingOf, type SectionResult } from "./section.ts";
import { WantedPart } from "./wanted-part.ts";

export interface IdentityEdges {
  readonly components: ComponentStore;
  readonly health: HealthProbe;
  readonly rootsPem: () => string;
  readonly canMint: () => boolean;
}

const firstRetryMs = 2_000;
const lastRetryMs = 60_000;

export interface IdentityState {
  readonly healthy: boolean;
  readonly svidExpires: Date | undefined;
}

export class IdentitySection {
  readonly #host: Host;
  readonly #table: ExecutorTable;
  readonly #edges: IdentityEdges;
  /** What was last brought about: nothing to do while this is so and the agent is healthy. */
  #settled: { readonly wanted: string; readonly rootsPem: string } | undefined;
  readonly #wanted = new WantedPart();
  #failed: { readonly finding: Finding; readonly times: number; readonly until: number } | undefined;
  #state: IdentityState = { healthy: false, svidExpires: undefined };

  constructor(host: Host, table: ExecutorTable, edges: IdentityEdges) {
    this.#host = host;
    this.#table = table;
    this.#edges = edges;
  }

  get state(): IdentityState {
    return this.#state;
  }

  /** The coordinator is back: whatever waited for it is tried at once. */
  retryNow(): void {
    if (this.#failed !== undefined) this.#failed = { ...this.#failed, until: 0 };
  }

  async reconcile(desired: DesiredState, signal: AbortSignal): Promise<SectionResult> {
    const { clock } = this.#host;
    const rootsPem = this.#edges.rootsPem();
    const isSettled =
      this.#settled?.wanted === this.#wantedOf(desired) && this.#settled.rootsPem === rootsPem;
    if (isSettled && (await this.#edges.health())) {
      await this.#note(true);
      return { end: "nothing", steps: [], findings: [] };
    }
    if (this.#failed !== undefined && clock.now().getTime() < this.#failed.until) {
      await this.#note(await this.#edges.health());
      return { end: "nothing", steps: [], findings: [this.#failed.finding] };
    }
    return await this.#plan(desired, rootsPem, signal);
  }

  async #plan(desired: DesiredState, rootsPem: string, signal: AbortSignal): Promise<SectionResult> {
    const { clock } = this.#host;
    const { components, health, canMint } = this.#edges;
    const observed = await observeIdentity(this.#host, components, health);
    const wish = { desired, rootsPem, now: clock.now(), canMint: canMint() };
    const { steps, conditions } = planIdentity(wish, observed);
    const run = await runSteps(steps, this.#table, clock, signal);
    const healthy = await health();
    await this.#note(healthy);
    const findings: Finding[] = [...conditions];
    if (run.end === "reverted") {
      const finding = findingOf(run.failure, "SPIRE_AGENT_DOWN");
      const times = (this.#failed?.times ?? 0) + 1;
      const wait = Math.min(lastRetryMs, firstRetryMs * 2 ** (times - 1));
      this.#failed = { finding, times, until: clock.now().getTime() + wait };
      findings.push(finding);
    } else if (run.end === "done") {
      this.#failed = undefined;
      if (conditions.length === 0) this.#settled = { wanted: this.#wantedOf(desired), rootsPem };
    }
    return { end: steps.length === 0 ? "nothing" : run.end, steps: run.steps, findings };
  }

  /** All of a state that is looked at here. */
  #wantedOf(desired: DesiredState): string {
    return this.#wanted.of(desired, ({ trustDomain, node, identity }) => ({ trustDomain, node, identity }));
  }

  async #note(healthy: boolean): Promise<void> {
    this.#state = { healthy, svidExpires: await readAgentSvidExpiry(this.#host.files) };
  }
}
