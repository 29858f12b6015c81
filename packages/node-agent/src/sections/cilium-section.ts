// In: the desired state. Out: services in network namespaces of their own, judged by a Cilium agent that runs here; or, where
// none is wanted any more, all of that taken down. Nftables is in force beside it, whatever becomes of this.
//
// INVARIANTS
// - Policies are with the agent before endpoints, and endpoints before services. Without a policy an endpoint is closed.
// - No endpoint without the check of source addresses.
// - A service that cannot be moved stays where it is; the others are moved.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredCilium } from "@weft/shared/model/desired-cilium";
import { ciliumPlaces, ciliumUnit } from "@weft/shared/render/cilium-places";
import { ciliumPolicyName, renderCiliumPolicy } from "@weft/shared/render/cilium-policy";
import { ciliumSvidFiles } from "@weft/shared/render/etcd-places";
import type { CiliumClient } from "../cilium/agent-client.ts";
import { putFiles } from "../cilium/agent-files.ts";
import { type MachineGround, machineGround } from "../cilium/machine-ground.ts";
import type { PolicyDirectory } from "../cilium/policy-directory.ts";
import type { ServiceEndpoints } from "../cilium/service-endpoints.ts";
import { StepBook } from "../cilium/step-book.ts";
import { hasTraces, takeDownCilium } from "../cilium/take-down.ts";
import { agentFiles } from "../cilium/wanted-files.ts";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { findingOf, type SectionResult } from "./section.ts";

export interface CiliumParts {
  readonly host: Host;
  readonly log: Log;
  readonly client: CiliumClient;
  readonly policies: PolicyDirectory;
  readonly services: ServiceEndpoints;
}

/** Looked at again every few seconds: what is not ready within it is told, and waited for there. */
const readyWithinMs = 15_000;
const askAgainMs = 250;
const masqueradeChain = "CILIUM_POST_nat";

export class CiliumSection {
  readonly #parts: CiliumParts;
  #wasHere = false;
  /** Seen among those that nft knows; on machines with the older iptables they are not. */
  #hadRules = false;
  /** The last look waited for the agent in vain. */
  #wasLate = false;
  #realised: { readonly digest: string; readonly at: Date } | undefined;

  constructor(parts: CiliumParts) {
    this.#parts = parts;
  }

  /** Since this agent started it was wanted: a state without it is in force only when it is taken down. */
  get wasHere(): boolean {
    return this.#wasHere;
  }

  /** The content that every endpoint was seen to enforce, or after which nothing of them was left, and since when. */
  get realised(): { readonly digest: string; readonly at: Date } | undefined {
    return this.#realised;
  }

  async reconcile(desired: DesiredState, signal: AbortSignal): Promise<SectionResult> {
    const { host } = this.#parts;
    const book = new StepBook(host.clock);
    const findings: Finding[] = [];
    try {
      const { cilium } = desired;
      this.#wasHere ||= cilium !== undefined || (await hasTraces(host));
      if (cilium === undefined) await book.doIfAny("takeDown", ciliumUnit, () => takeDownCilium(host));
      else findings.push(...(await this.#enforce(book, desired, cilium, signal)));
      signal.throwIfAborted();
    } catch (failure) {
      // a newer state is there, or the agent ends: what was done so far is found by the next look
      if (signal.aborted) return { end: "superseded", steps: book.steps, findings: [] };
      if (!isWeftError(failure)) throw failure;
      findings.push(findingOf(failure, "CILIUM_PARTIAL"));
    }
    this.#note(desired.digest, findings);
    const end = book.steps.length === 0 ? "nothing" : "done";
    return { end, steps: book.steps, findings };
  }

  /** An agent that is away changes nothing of what its endpoints enforce; anything else may. */
  #note(digest: string, findings: readonly Finding[]): void {
    const isSame = this.#realised?.digest === digest;
    if (findings.length === 0)
      this.#realised = isSame ? this.#realised : { digest, at: this.#parts.host.clock.now() };
    else if (!findings.every(({ code }) => code === "CILIUM_DOWN")) this.#realised = undefined;
  }

  async #enforce(
    book: StepBook,
    desired: DesiredState,
    cilium: DesiredCilium,
    signal: AbortSignal,
  ): Promise<Finding[]> {
    const { host, policies, services } = this.#parts;
    const ground = await machineGround(host, desired.address);
    if (typeof ground === "string") return [{ code: "CILIUM_MISSING", detail: ground }];
    if (await this.#isForeign())
      return [
        { code: "CILIUM_MISSING", detail: "another agent of Cilium runs on this machine, none of Weft's" },
      ];
    const namespaces = await services.namespaces(book, desired, cilium, ground.mtu);
    if (cilium.etcd === undefined && (await this.#lacksCertificate()))
      return [{ code: "CILIUM_DOWN", detail: "it waits for its certificate for the mesh's own etcd" }];
    await this.#startAgent(book, desired, cilium, ground);
    const trouble = await this.#untilReady(signal);
    if (trouble !== undefined) return [{ code: "CILIUM_DOWN", detail: trouble }];
    await this.#keepRules(book);
    const wrong = await this.#misconfigured(cilium);
    if (wrong !== undefined) return [{ code: "CILIUM_PARTIAL", detail: wrong }];
    const files = cilium.endpoints.map((endpoint) =>
      renderCiliumPolicy({ mesh: desired.mesh, node: desired.node, ...endpoint }),
    );
    const loaded = await policies.write(files, signal);
    const placed = await services.place(book, desired, cilium, namespaces, signal);
    const late = loaded.findings.map(
      ({ what, why }): Finding => ({ code: "CILIUM_PARTIAL", detail: `${what}: ${why}` }),
    );
    return [...late, ...placed, ...(await services.realised(cilium, loaded.revision, signal))];
  }

  async #startAgent(
    book: StepBook,
    desired: DesiredState,
    cilium: DesiredCilium,
    ground: MachineGround,
  ): Promise<void> {
    const { host, policies, log } = this.#parts;
    const wanted = agentFiles(desired, cilium, ground);
    // one that runs on what was there before would be taken for one that runs on this
    const stop = () => host.units.stop(ciliumUnit);
    await putFiles(host, book, wanted, [ciliumPlaces.options], stop);
    const link = `${ciliumPlaces.path}/clang`;
    if ((await host.files.info(link))?.target !== ground.compiler)
      await host.files.symlink(ground.compiler, link);
    const { active, enabled } = await host.units.state(ciliumUnit);
    if (!enabled) await book.do("enableUnit", ciliumUnit, () => host.units.enable(ciliumUnit));
    if (active === "active") return;
    // where systemd is about to start it again: what ended it may be a policy file
    await stop();
    const names = cilium.endpoints.map(({ service }) => ciliumPolicyName(service));
    const { moved } = await policies.quarantine(names);
    if (moved.length > 0) log.warn(`cilium: set aside, since no agent has loaded it: ${moved.join(", ")}`);
    await book.do("startUnit", ciliumUnit, () => host.units.start(ciliumUnit));
  }

  /** Written by the section before this one (sections/etcd-section.ts). */
  async #lacksCertificate(): Promise<boolean> {
    for (const path of Object.values(ciliumSvidFiles))
      if ((await this.#parts.host.files.info(path)) === undefined) return true;
    return false;
  }

  /** Two of them would share pins, maps and chains. */
  async #isForeign(): Promise<boolean> {
    const { host, client } = this.#parts;
    if ((await host.units.state(ciliumUnit)).active !== "inactive") return false;
    try {
      await client.health();
      return true;
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return false;
    }
  }

  /** Somebody flushed all rules: an agent looks after its own only every half hour, and at its start. */
  async #keepRules(book: StepBook): Promise<void> {
    const { host } = this.#parts;
    const { code } = await host.exec.run("nft", ["list", "chain", "ip", "nat", masqueradeChain], {
      allow: [0, 1],
    });
    if (code === 0) this.#hadRules = true;
    else if (this.#hadRules) {
      this.#hadRules = false;
      await book.do("restartUnit", ciliumUnit, () => host.units.restart(ciliumUnit));
    }
  }

  /** @returns why it is not, if it is not */
  async #untilReady(signal: AbortSignal): Promise<string | undefined> {
    const { host, client } = this.#parts;
    // told once it is no news: the next look at names and identity does not wait for it again
    const deadline = host.clock.now().getTime() + (this.#wasLate ? 0 : readyWithinMs);
    for (;;) {
      const found = await client.hostReady({ signal });
      this.#wasLate = !found.ready && host.clock.now().getTime() >= deadline;
      if (found.ready) return undefined;
      if (this.#wasLate) return found.why;
      await host.clock.sleep(askAgainMs, signal);
    }
  }

  /** An agent takes options that it does not know, and says nothing: what is in force is asked. */
  async #misconfigured({ range }: DesiredCilium): Promise<string | undefined> {
    const { client } = this.#parts;
    const config = await client.config();
    if (config.checksSources !== true)
      return "the agent does not check source addresses, so an identity could be sent by anybody: no endpoint is made";
    if (config.policy !== "always")
      return `the agent's enable-policy is ${config.policy ?? "not told"}, not always`;
    if (config.cidrMatchMode?.includes("nodes") !== true)
      return "the agent's policy-cidr-match-mode is not nodes: no rule about a node would match";
    if (config.range !== range)
      return `the agent gives addresses of ${config.range ?? "no range"}, not of ${range}`;
    return undefined;
  }
}
