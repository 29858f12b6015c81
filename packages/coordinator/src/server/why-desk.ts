// In: `weft why`: two ends and a port. Out: the answer, put together from what the kernels on the way say now and what
// the mesh file means; if it is wanted, with a real connection beside it. Asks nodes; changes nothing.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { WhyPath, WhyRequest, WhyResponse } from "@weft/shared/gen/weft/v1/control";
import { familyOf } from "@weft/shared/model/address";
import type { Mesh } from "@weft/shared/model/mesh";
import { compileRecords } from "../compile/names.ts";
import { dialPlanOf } from "../explain/dial-plan.ts";
import { endpointSteps, whoListens } from "../explain/endpoint-step.ts";
import { endAt, endpointWay } from "../explain/endpoint-way.ts";
import { type AskedPort, type Endpoint, endpointsOf, portsOf } from "../explain/endpoints.ts";
import { flipOf } from "../explain/flip.ts";
import { identityText } from "../explain/identify.ts";
import { permits } from "../explain/permits.ts";
import { identityStep, listenerStep, pathVerdict, plainStep, type WhyStep } from "../explain/why-path.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { statusOf } from "../fleet/node-view.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { MeshCompiler } from "../rollout/mesh-compiler.ts";
import type { SourceText } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { requireMesh } from "./flow-desk.ts";
import type { ProofDesk } from "./proof-desk.ts";
import type { WayDesk } from "./way-desk.ts";

export interface WhyDeskParts {
  readonly authority: MeshAuthority;
  readonly compiler: MeshCompiler;
  readonly store: Store;
  readonly fleet: Fleet;
  readonly ways: WayDesk;
  readonly proofs: ProofDesk;
  readonly now: () => Date;
}

/** Pairs of instances, times ports: more would be a scan. */
const mostPaths = 16;

const alreadyMeant = "no policy refuses this: no change of the mesh file turns what Cilium does with it";

interface Pair {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly port: AskedPort;
}

export class WhyDesk {
  readonly #parts: WhyDeskParts;

  constructor(parts: WhyDeskParts) {
    this.#parts = parts;
  }

  async why({ from, to, port, via, prove }: WhyRequest): Promise<WhyResponse> {
    const mesh = requireMesh(this.#parts.authority);
    if (via !== "" && !mesh.nodes.some(({ name }) => name === via))
      throw new WeftError("WEFT-E103", `the mesh has no node "${via}"`);
    const contents = this.#parts.compiler.compile(mesh);
    const endsOf = (text: string): Endpoint[] => {
      const placed = endAt(mesh, contents, text);
      return placed === undefined ? endpointsOf(mesh, text, (address) => this.#nodeWith(address)) : [placed];
    };
    const receivers = endsOf(to);
    const pairs = endsOf(from).flatMap((sender) =>
      receivers.flatMap((receiver) =>
        portsOf(port, receiver).map((asked): Pair => ({ from: sender, to: receiver, port: asked })),
      ),
    );
    const paths: WhyPath[] = [];
    for (const pair of pairs.slice(0, mostPaths)) paths.push(await this.#path(mesh, pair, via, prove));
    return { paths, leftOut: Math.max(0, pairs.length - mostPaths) };
  }

  /** By the facts a node told of itself. */
  #nodeWith(address: string): string | undefined {
    return this.#parts.fleet
      .views()
      .find(
        (view) =>
          view.address !== "" &&
          view.facts?.interfaces.some(({ addresses }) =>
            addresses.some((each) => each.split("/")[0] === address),
          ),
      )?.name;
  }

  async #path(mesh: Mesh, { from, to, port }: Pair, via: string, prove: boolean): Promise<WhyPath> {
    const { protocol } = port;
    const compiled = this.#parts.compiler.compile(mesh);
    const way = endpointWay(compiled, from, to, port, via);
    const { source, destination } = way;
    const ends = {
      from: identityText(from.identity),
      to: to.identity.kind === "none" ? destination : identityText(to.identity),
      source,
      destination,
      protocol,
      port: port.port,
    };
    if (familyOf(source) !== familyOf(destination))
      return {
        ...ends,
        verdict: "unknown",
        sentence: `${source} and ${destination} are of different families`,
        strength: "",
        steps: [],
        patch: "",
        patchNote: "",
        proof: undefined,
      };
    const hooks = await this.#parts.ways.ask(from, to, port, via, way);
    const listening = whoListens(way, hooks);
    const after = [
      ...(protocol === "icmp"
        ? []
        : listenerStep(listening, to.service?.user ?? "", `${port.port}/${protocol}`)),
      ...[from, to]
        .filter(({ identity }) => identity.kind === "service")
        .map(({ identity }) => identityStep(identity, this.#status(identity.node))),
    ];
    const machines = { fromNode: from.identity.node, toNode: to.identity.node };
    const endpoints = endpointSteps(way, machines, port, hooks);
    const judged = pathVerdict(hooks, endpoints, this.#nameStep(mesh, from, to), after);
    const connection = {
      fromNode: from.identity.node === "" ? undefined : from.identity.node,
      user: from.user,
      source: from.identity.address,
      toNode: to.identity.node === "" ? undefined : to.identity.node,
      destination: to.identity.address,
      protocol,
      port: port.port,
    };
    const isMeant = endpoints.length > 0 && permits(compiled, connection).allowed;
    const flip =
      judged.verdict === "unknown" || (judged.verdict === "refused" && isMeant)
        ? { patch: "", note: judged.verdict === "unknown" ? "" : alreadyMeant }
        : flipOf({
            sources: this.#sources(),
            mesh,
            from: from.identity,
            to: to.identity,
            connection,
            allow: judged.verdict === "refused",
            tryOut: (sources) => this.#tryOut(sources),
          });
    // after the rules were asked: the connection is counted like any other
    const proof = prove
      ? await this.#parts.proofs.prove(
          dialPlanOf(mesh, from, to, port, via, way),
          judged.verdict,
          listening,
          way.receiver?.address,
        )
      : undefined;
    return {
      ...ends,
      verdict: judged.verdict,
      sentence: judged.sentence,
      strength: judged.verdict === "allowed" ? judged.strength : "",
      steps: judged.steps.map((step) => ({
        ...step,
        revision: BigInt(step.revision),
        trace: [...step.trace],
        remarks: [...step.remarks],
      })),
      patch: flip.patch,
      patchNote: flip.note,
      proof,
    };
  }

  #nameStep(mesh: Mesh, from: Endpoint, to: Endpoint): WhyStep[] {
    if (to.identity.kind === "none") return [];
    const { zone } = mesh.dns;
    const name = to.service === undefined ? `${to.identity.node}.node.${zone}` : `${to.service.name}.${zone}`;
    const own = this.#parts.compiler.compile(mesh).get(from.identity.node);
    const values = (own?.dns.records ?? compileRecords(mesh))
      .filter((record) => record.name === name && record.type !== "SRV")
      .map(({ value }) => value);
    const dns = this.#status(from.identity.node)?.report?.dns;
    const where =
      from.identity.node === ""
        ? ""
        : dns === undefined
          ? `; ${from.identity.node} has not reported on its names`
          : `; names are ${dns.state} on ${from.identity.node}`;
    const verdict = values.length === 0 || dns?.state === "failed" ? "bad" : "ok";
    return [plainStep("name", verdict, `${name} is ${values.join(", ") || "no name"}${where}`)];
  }

  #status(node: string) {
    const { fleet, now } = this.#parts;
    return node === "" ? undefined : statusOf(fleet.view(node), now());
  }

  #sources(): readonly SourceText[] {
    const { store, authority } = this.#parts;
    return store.revisions.sources(authority.revision) ?? [];
  }

  #tryOut(sources: readonly SourceText[]) {
    const { mesh } = this.#parts.compiler.load(sources);
    return mesh === undefined ? undefined : { mesh, compiled: this.#parts.compiler.compile(mesh) };
  }
}
