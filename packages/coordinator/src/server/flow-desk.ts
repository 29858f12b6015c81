// In: what operators ask of flows. Out: what kernels have counted, fresh from the nodes that answer, by identity.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { ObservationsResponse } from "@weft/shared/gen/weft/v1/control";
import type { Mesh } from "@weft/shared/model/mesh";
import { declaredFlows } from "../explain/declared-flows.ts";
import { identityTexts, unheardTexts } from "../explain/endpoint-doubts.ts";
import { type NamedFlow, namedFlows } from "../explain/named-flows.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { isMember } from "../fleet/node-view.ts";
import type { Observations } from "../fleet/observations.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { CompiledMesh, MeshCompiler } from "../rollout/mesh-compiler.ts";
import type { Store } from "../store/store.ts";
import { banName, forgedName } from "../view/flow-model.ts";
import type { Sessions } from "./sessions.ts";

export interface FlowDeskParts {
  readonly authority: MeshAuthority;
  readonly compiler: MeshCompiler;
  readonly store: Pick<Store, "bans">;
  readonly fleet: Fleet;
  readonly observations: Observations;
  readonly sessions: Sessions;
  readonly now: () => Date;
}

/** Nodes that are asked for a fresh word are given this long. */
const freshWithinMs = 1_500;
const lookAgainMs = 25;

export function requireMesh(authority: MeshAuthority): Mesh {
  if (authority.mesh !== undefined) return authority.mesh;
  throw new WeftError("WEFT-E103", "no mesh file was applied yet", { hint: "weft apply mesh.yaml" });
}

function decidedBy({ kind, isBanned, isForged, origin }: NamedFlow): string {
  if (kind === "allowed") return "";
  if (isForged) return forgedName;
  return isBanned ? banName : (origin?.policy ?? "default");
}

export class FlowDesk {
  readonly #parts: FlowDeskParts;
  #compiled: { readonly mesh: Mesh; readonly banEpoch: number; readonly content: CompiledMesh } | undefined;

  constructor(parts: FlowDeskParts) {
    this.#parts = parts;
  }

  /** Has nodes look, and waits a moment for their word. */
  async refresh(names: readonly string[]): Promise<void> {
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
    const mesh = requireMesh(this.#parts.authority);
    if (node !== "" && !mesh.nodes.some(({ name }) => name === node))
      throw new WeftError("WEFT-E103", `the mesh has no node "${node}"`);
    // all of them: the other end of a flow is told by its own kernel
    await this.refresh(mesh.nodes.map(({ name }) => name));
    const at = now();
    const observed = observations.all(at).filter((each) => mesh.nodes.some(({ name }) => name === each.node));
    const concerns = (name: string) => node === "" || name === node;
    const compiled = this.#content(mesh);
    const flows = namedFlows(mesh, compiled, observed).filter(({ source, destination, node: counted }) =>
      [source.node, destination.node, counted].some(concerns),
    );
    const taken = identityTexts(mesh, compiled, observed);
    const unknown = mesh.nodes
      .filter(({ name }) => concerns(name))
      .flatMap(({ name }) => {
        const held = observed.find((each) => each.node === name);
        if (held === undefined)
          return isMember(fleet.view(name)) ? [`${name} has told nothing yet: UNKNOWN`] : [];
        return [
          ...held.fullSets.map((set) => `${name}: set ${set} is full: what is not listed is UNKNOWN`),
          ...(held.leftOut > 0 ? [`${name}: ${held.leftOut} flows are not listed`] : []),
          ...unheardTexts(compiled, held, at),
          ...taken.filter(({ node: told }) => told === name).map(({ text }) => text),
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
        decidedBy: decidedBy(flow),
        file: flow.origin?.file ?? "",
        line: flow.origin?.line ?? 0,
        wouldAllow: flow.wouldAllow,
      })),
      declared: declaredFlows(mesh),
      unknown,
    };
  }

  #content(mesh: Mesh): CompiledMesh {
    const { store, compiler } = this.#parts;
    const banEpoch = store.bans.epoch();
    if (this.#compiled?.mesh !== mesh || this.#compiled.banEpoch !== banEpoch)
      this.#compiled = { mesh, banEpoch, content: compiler.compile(mesh) };
    return this.#compiled.content;
  }
}
