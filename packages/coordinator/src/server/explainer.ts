// In: questions of operators: why, and what was seen. Out: answers put together from what kernels say now, what they
// have counted, and the mesh. Asks nodes; changes nothing.
import { WeftError } from "@weft/shared/errors/weft-error";
import type {
  ObservationsResponse,
  WhyPath,
  WhyRequest,
  WhyResponse,
} from "@weft/shared/gen/weft/v1/control";
import { familyOf } from "@weft/shared/model/address";
import type { Mesh } from "@weft/shared/model/mesh";
import type { KernelQuestion } from "@weft/shared/model/observation";
import { compileRecords } from "../compile/names.ts";
import { declaredFlows } from "../explain/declared-flows.ts";
import { type AskedPort, type Endpoint, endpointsOf, portsOf } from "../explain/endpoints.ts";
import { flipOf } from "../explain/flip.ts";
import { identityText } from "../explain/identify.ts";
import { namedFlows } from "../explain/named-flows.ts";
import {
  type HookAnswer,
  identityStep,
  listenerStep,
  pathVerdict,
  plainStep,
  type WhyStep,
} from "../explain/why-path.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { isMember, statusOf } from "../fleet/node-view.ts";
import type { Observations } from "../fleet/observations.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { CompiledMesh, MeshCompiler } from "../rollout/mesh-compiler.ts";
import type { SourceText } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { QuestionDesk } from "./question-desk.ts";
import type { Sessions } from "./sessions.ts";

export interface ExplainerParts {
  readonly authority: MeshAuthority;
  readonly compiler: MeshCompiler;
  readonly store: Store;
  readonly fleet: Fleet;
  readonly desk: QuestionDesk;
  readonly observations: Observations;
  readonly sessions: Sessions;
  readonly now: () => Date;
}

/** Pairs of instances, times ports: more would be a scan. */
const mostPaths = 16;
/** Nodes that are asked for a fresh word are given this long. */
const freshWithinMs = 1_500;
const lookAgainMs = 25;

interface Pair {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly port: AskedPort;
}

export class Explainer {
  readonly #parts: ExplainerParts;
  #compiled: { readonly mesh: Mesh; readonly content: CompiledMesh } | undefined;

  constructor(parts: ExplainerParts) {
    this.#parts = parts;
  }

  async why({ from, to, port, via }: WhyRequest): Promise<WhyResponse> {
    const mesh = this.#mesh();
    if (via !== "" && !mesh.nodes.some(({ name }) => name === via))
      throw new WeftError("WEFT-E103", `the mesh has no node "${via}"`);
    const otherNode = (address: string) => this.#nodeWith(address);
    const pairs = endpointsOf(mesh, from, otherNode).flatMap((sender) =>
      endpointsOf(mesh, to, otherNode).flatMap((receiver) =>
        portsOf(port, receiver).map((asked): Pair => ({ from: sender, to: receiver, port: asked })),
      ),
    );
    const paths: WhyPath[] = [];
    for (const pair of pairs.slice(0, mostPaths)) paths.push(await this.#path(mesh, pair, via));
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

  async #path(mesh: Mesh, { from, to, port }: Pair, via: string): Promise<WhyPath> {
    const { protocol } = port;
    const source = from.identity.address;
    const destination = to.identity.address;
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
      };
    const hooks = await this.#ask(from, to, port, via);
    const receiver = hooks.find(({ kind }) => kind === "receiver");
    const after = [
      ...(receiver === undefined
        ? []
        : listenerStep(receiver.answer, to.service?.user ?? "", `${port.port}/${protocol}`)),
      ...[from, to]
        .filter(({ identity }) => identity.kind === "service")
        .map(({ identity }) => identityStep(identity, this.#status(identity.node))),
    ];
    const judged = pathVerdict(hooks, this.#nameStep(mesh, from, to), after);
    const connection = {
      fromNode: from.identity.node === "" ? undefined : from.identity.node,
      user: from.user,
      source,
      toNode: to.identity.node === "" ? undefined : to.identity.node,
      destination,
      protocol,
      port: port.port,
    };
    const flip =
      judged.verdict === "unknown"
        ? { patch: "", note: "" }
        : flipOf({
            sources: this.#sources(),
            mesh,
            from: from.identity,
            to: to.identity,
            connection,
            allow: judged.verdict === "refused",
            tryOut: (sources) => this.#tryOut(sources),
          });
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
    };
  }

  /** Every kernel on the way, all at once. */
  async #ask(from: Endpoint, to: Endpoint, port: AskedPort, via: string): Promise<HookAnswer[]> {
    const { desk, store } = this.#parts;
    const sender = from.identity;
    const receiver = to.identity;
    const ask = async (
      kind: HookAnswer["kind"],
      node: string,
      what: Pick<KernelQuestion, "hook" | "source" | "user">,
    ): Promise<HookAnswer> => {
      const answer = await desk.ask(node, {
        ...what,
        destination: receiver.address,
        ...port,
        local: sender.node !== "" && sender.node === receiver.node,
        publishedPort: undefined,
      });
      return { kind, node, answer, wanted: store.desired.get(node) };
    };
    const asked: Promise<HookAnswer>[] = [];
    const source = sender.address;
    if (sender.node !== "")
      asked.push(ask("sender", sender.node, { hook: "output", source, user: from.user }));
    // behind masquerading the receiver sees the node that forwards
    const behind =
      via === "" ? source : (this.#mesh().nodes.find(({ name }) => name === via)?.address ?? source);
    if (via !== "") asked.push(ask("forward", via, { hook: "forward", source, user: "" }));
    if (receiver.node !== "")
      asked.push(ask("receiver", receiver.node, { hook: "input", source: behind, user: "" }));
    return Promise.all(asked);
  }

  #nameStep(mesh: Mesh, from: Endpoint, to: Endpoint): WhyStep[] {
    if (to.identity.kind === "none") return [];
    const { zone } = mesh.dns;
    const name = to.service === undefined ? `${to.identity.node}.node.${zone}` : `${to.service.name}.${zone}`;
    const values = compileRecords(mesh)
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

  /** Has nodes look, and waits a moment for their word. */
  async #refresh(names: readonly string[]): Promise<void> {
    const { sessions, observations, now } = this.#parts;
    const asked = now();
    const waiting = new Set(names.filter((name) => sessions.of(name) !== undefined));
    for (const name of waiting) sessions.of(name)?.send("attention", { $case: "attention", value: {} });
    const until = performance.now() + freshWithinMs;
    while (waiting.size > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
      for (const name of waiting) {
        const heard = observations.heard(name);
        if (heard !== undefined && heard >= asked) waiting.delete(name);
      }
    }
  }

  async observations(node: string): Promise<ObservationsResponse> {
    const { observations, fleet, now } = this.#parts;
    const mesh = this.#mesh();
    if (node !== "" && !mesh.nodes.some(({ name }) => name === node))
      throw new WeftError("WEFT-E103", `the mesh has no node "${node}"`);
    // all of them: the other end of a flow is told by its own kernel
    await this.#refresh(mesh.nodes.map(({ name }) => name));
    const at = now();
    const observed = observations.all(at).filter((each) => mesh.nodes.some(({ name }) => name === each.node));
    const concerns = (name: string) => node === "" || name === node;
    const flows = namedFlows(mesh, this.#content(mesh), observed).filter(
      ({ source, destination, node: counted }) => [source.node, destination.node, counted].some(concerns),
    );
    const unknown = mesh.nodes
      .filter(({ name }) => concerns(name))
      .flatMap(({ name }) => {
        const held = observed.find((each) => each.node === name);
        if (held === undefined)
          return isMember(fleet.view(name)) ? [`${name} has told nothing yet: UNKNOWN`] : [];
        return [
          ...held.fullSets.map((set) => `${name}: set ${set} is full: what is not listed is UNKNOWN`),
          ...(held.leftOut > 0 ? [`${name}: ${held.leftOut} flows are not listed`] : []),
          ...(fleet.view(name).connected
            ? []
            : [`${name} is not connected; last heard ${held.heard.toISOString()}`]),
        ];
      });
    return {
      at,
      flows: flows.map((flow) => ({
        kind: flow.kind,
        source: flow.source,
        destination: flow.destination,
        protocol: flow.protocol,
        port: flow.port,
        portName: flow.portName,
        count: BigInt(flow.count),
        lastSeen: flow.lastSeen,
        witness: flow.witness,
        node: flow.node,
        decidedBy: flow.kind === "allowed" ? "" : (flow.origin?.policy ?? "default"),
        file: flow.origin?.file ?? "",
        line: flow.origin?.line ?? 0,
        wouldAllow: flow.wouldAllow,
      })),
      declared: declaredFlows(mesh),
      unknown,
    };
  }

  #mesh(): Mesh {
    const { mesh } = this.#parts.authority;
    if (mesh === undefined)
      throw new WeftError("WEFT-E103", "no mesh file was applied yet", { hint: "weft apply mesh.yaml" });
    return mesh;
  }

  #sources(): readonly SourceText[] {
    const { store, authority } = this.#parts;
    return store.revisions.sources(authority.revision) ?? [];
  }

  #content(mesh: Mesh): CompiledMesh {
    if (this.#compiled?.mesh !== mesh) this.#compiled = { mesh, content: this.#parts.compiler.compile(mesh) };
    return this.#compiled.content;
  }

  #tryOut(sources: readonly SourceText[]) {
    const { mesh } = this.#parts.compiler.load(sources);
    return mesh === undefined ? undefined : { mesh, compiled: this.#parts.compiler.compile(mesh) };
  }
}
