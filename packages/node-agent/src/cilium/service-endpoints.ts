// In: the services that are to have endpoints. Out: each in its namespace, with an endpoint that is ready, its unit moved
// there and its ports published; what nobody wants any more is taken away. Trouble with one is told and leaves the others.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredCilium, DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { endpointLink, renderUnitDropIn } from "@weft/shared/render/cilium-endpoint-link";
import { endpointLabels } from "@weft/shared/render/cilium-labels";
import {
  ciliumPlaces,
  dropInFile,
  endpointFile,
  namespaceOf,
  namespacePath,
  namespaceUnit,
} from "@weft/shared/render/cilium-places";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import { findingOf } from "../sections/section.ts";
import { putFiles } from "./agent-files.ts";
import type { EndpointKeeper } from "./endpoint-keeper.ts";
import { isMoved, movedUnits } from "./moved-units.ts";
import { ensureNamespace, type OuterLink, openLink } from "./namespace-link.ts";
import type { PublishedPorts } from "./published-ports.ts";
import type { StepBook } from "./step-book.ts";
import { moveUnit, returnUnit, startInside } from "./unit-move.ts";
import { endpointGround, namespaceText, resolvConfFiles } from "./wanted-files.ts";

const resolvConf = "/etc/resolv.conf";
/** Until the datapath carries a policy that the agent has. */
const realisedWithinMs = 15_000;
const askAgainMs = 100;

/** The link outside, or why there is none. */
export type Namespaces = ReadonlyMap<string, OuterLink | Finding>;

export class ServiceEndpoints {
  readonly #host: Host;
  readonly #keeper: EndpointKeeper;
  readonly #ports: PublishedPorts;

  constructor(host: Host, keeper: EndpointKeeper, ports: PublishedPorts) {
    this.#host = host;
    this.#keeper = keeper;
    this.#ports = ports;
  }

  /** Needs no agent. */
  async namespaces(
    book: StepBook,
    desired: DesiredState,
    cilium: DesiredCilium,
    mtu: number,
  ): Promise<Namespaces> {
    const own = (await this.#host.files.readText(resolvConf)) ?? "";
    await putFiles(this.#host, book, resolvConfFiles(desired, own), []);
    const found = new Map<string, OuterLink | Finding>();
    for (const endpoint of cilium.endpoints) {
      const { service } = endpoint;
      const link = endpointLink(desired.node, service).name;
      const text = namespaceText(desired, endpoint, mtu);
      found.set(service, await told(() => ensureNamespace(this.#host, book, { service, link, text })));
    }
    return found;
  }

  async place(
    book: StepBook,
    desired: DesiredState,
    cilium: DesiredCilium,
    namespaces: Namespaces,
    signal: AbortSignal,
  ): Promise<Finding[]> {
    const stuck = await this.#returnOthers(book, cilium);
    const findings = [...stuck];
    const placed: DesiredEndpoint[] = [];
    for (const endpoint of cilium.endpoints) {
      const link = namespaces.get(endpoint.service);
      if (link === undefined) continue;
      const done =
        "index" in link ? await told(() => this.#place(book, desired, endpoint, link, signal)) : link;
      if (done === true) placed.push(endpoint);
      else findings.push(done);
    }
    await this.#ports.publish(book, desired.address, await this.#reached(cilium, placed));
    // no namespace is taken from under a unit that is in it
    if (stuck.length === 0) await this.#removeOthers(book, cilium, signal);
    return findings;
  }

  /** Those in their namespaces: what cannot be asked of them now takes no service off the network. */
  async #reached(
    { endpoints }: DesiredCilium,
    placed: readonly DesiredEndpoint[],
  ): Promise<DesiredEndpoint[]> {
    const reached: DesiredEndpoint[] = [];
    for (const endpoint of endpoints)
      if (placed.includes(endpoint) || (await isMoved(this.#host, endpoint.unit))) reached.push(endpoint);
    return reached;
  }

  /** Those that do not enforce what the agent has loaded, if there are any left in time. */
  async realised({ endpoints }: DesiredCilium, revision: number, signal: AbortSignal): Promise<Finding[]> {
    const { clock } = this.#host;
    const owners = endpoints.map(({ service }) => namespaceOf(service));
    const deadline = clock.now().getTime() + realisedWithinMs;
    for (;;) {
      const done = new Set(await this.#keeper.realised(owners, revision, { signal }));
      const late = owners.filter((owner) => !done.has(owner));
      if (late.length === 0) return [];
      if (clock.now().getTime() >= deadline)
        return [{ code: "CILIUM_PARTIAL", detail: `the policy is not in force at ${late.join(", ")} yet` }];
      await clock.sleep(askAgainMs, signal);
    }
  }

  async #place(
    book: StepBook,
    desired: DesiredState,
    { service, spiffeId, unit, address }: DesiredEndpoint,
    link: OuterLink,
    signal: AbortSignal,
  ): Promise<true> {
    const { insideMac, outsideMac } = endpointLink(desired.node, service);
    const owner = namespaceOf(service);
    await this.#keeper.ensure(
      {
        owner,
        address,
        labels: endpointLabels(spiffeId, desired.mesh),
        linkName: link.name,
        linkIndex: link.index,
        mac: insideMac,
        hostMac: outsideMac,
      },
      { signal },
    );
    await openLink(this.#host, book, link.name);
    const user = desired.identity.workloads.find((workload) => workload.service === service)?.user ?? "";
    const text = renderUnitDropIn(endpointGround(desired), { service });
    const namespace = namespacePath(service);
    const wasMoved = await isMoved(this.#host, unit, text);
    await moveUnit(this.#host, book, { unit, user, path: dropInFile(unit), text, namespace });
    if (link.isNew && wasMoved) await startInside(this.#host, book, unit);
    return true;
  }

  async #returnOthers(book: StepBook, { endpoints }: DesiredCilium): Promise<Finding[]> {
    const findings: Finding[] = [];
    const wanted = new Set(endpoints.map(({ unit }) => unit));
    for (const unit of await movedUnits(this.#host)) {
      if (wanted.has(unit)) continue;
      const failure = await told(() => returnUnit(this.#host, book, unit));
      if (failure !== undefined) findings.push(failure);
    }
    return findings;
  }

  /** After their units have left. */
  async #removeOthers(book: StepBook, { endpoints }: DesiredCilium, signal: AbortSignal): Promise<void> {
    const { files, units } = this.#host;
    const wanted = new Set(endpoints.map(({ service }) => service));
    await this.#keeper.removeOrphans(new Set([...wanted].map(namespaceOf)), { signal });
    for (const service of await files.list(ciliumPlaces.endpoints)) {
      if (wanted.has(service)) continue;
      await book.do("removeNamespace", service, async () => {
        await units.stop(namespaceUnit(service));
        await files.remove(endpointFile(service));
      });
    }
  }
}

/** Of this service alone. */
async function told<T>(work: () => Promise<T>): Promise<T | Finding> {
  try {
    return await work();
  } catch (failure) {
    // an abort is none, and goes through
    if (!isWeftError(failure)) throw failure;
    return findingOf(failure, "CILIUM_PARTIAL");
  }
}
