// In: the mesh before a change, and the revision that is in force now. Out: word of each flow between services that is
// worth it: what the kernels on its way say, and what became of a real connection, made by the sender's node just as for
// `why --prove`. Judges nothing of what was applied, and takes nothing back.
import type { ApplyEvent } from "@weft/shared/gen/weft/v1/control";
import type { ApplyProbe } from "@weft/shared/gen/weft/v1/probe";
import type { Mesh } from "@weft/shared/model/mesh";
import { listensAt } from "../explain/agreement.ts";
import { dialPlanOf } from "../explain/dial-plan.ts";
import { endpointSteps, whoListens } from "../explain/endpoint-step.ts";
import { endpointWay } from "../explain/endpoint-way.ts";
import { serviceEnd } from "../explain/endpoints.ts";
import { probeResult } from "../explain/probe-result.ts";
import { pathVerdict } from "../explain/why-path.ts";
import type { MeshState } from "../guard/risk.ts";
import { type ChosenFlow, chooseProbes, type ProbeChoice } from "../replay/probe-choice.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { MeshCompiler } from "../rollout/mesh-compiler.ts";
import type { ProofDesk } from "./proof-desk.ts";
import type { WayDesk } from "./way-desk.ts";

type ApplyStep = NonNullable<ApplyEvent["event"]>;

export interface ProbeDeskParts {
  readonly authority: Pick<MeshAuthority, "mesh" | "revision" | "inForce">;
  readonly compiler: Pick<MeshCompiler, "compile">;
  readonly ways: Pick<WayDesk, "ask">;
  readonly proofs: Pick<ProofDesk, "prove">;
}

/** What is in force before a change. */
export interface ProbeBase {
  /** 0: nothing was applied yet. */
  readonly revision: number;
  readonly state: MeshState | undefined;
}

const overtaken = "a newer revision took its place";

export class ProbeDesk {
  readonly #parts: ProbeDeskParts;

  constructor(parts: ProbeDeskParts) {
    this.#parts = parts;
  }

  /** To be asked before a change is applied: afterwards it is gone. */
  base(): ProbeBase {
    const { authority } = this.#parts;
    const { mesh, inForce } = authority;
    return {
      // what a rollout that is not over was to change is not in force everywhere
      revision: inForce.running?.base ?? authority.revision,
      state: mesh === undefined ? undefined : { mesh, contents: inForce.contents() },
    };
  }

  /** Different senders at the same time, each of them one connection after the other; told in the order of the choice. */
  async probe(
    base: ProbeBase,
    revision: number,
    say: (event: ApplyStep) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { authority, compiler } = this.#parts;
    const { mesh } = authority;
    if (mesh === undefined || authority.revision !== revision) {
      say({ $case: "probing", value: { ...noProbes, notMade: overtaken } });
      return;
    }
    const choice = chooseProbes(base.state, { mesh, contents: compiler.compile(mesh) });
    say({ $case: "probing", value: encodeChoice(choice, base.revision === revision ? 0 : base.revision) });
    const lines = new Map<string, Promise<unknown>>();
    const made = choice.flows.map((flow) => {
      const before = lines.get(flow.fromNode) ?? Promise.resolve();
      const turn = before.then(() => this.#one(mesh, flow, revision, signal));
      lines.set(flow.fromNode, turn);
      return turn;
    });
    const words: (ApplyProbe | undefined)[] = [];
    let told = 0;
    await Promise.all(
      made.map(async (turn, index) => {
        words[index] = await turn;
        for (let word = words[told]; word !== undefined; word = words[told]) {
          say({ $case: "probe", value: word });
          told += 1;
        }
      }),
    );
  }

  async #one(mesh: Mesh, flow: ChosenFlow, revision: number, signal: AbortSignal): Promise<ApplyProbe> {
    const { authority, compiler, ways, proofs } = this.#parts;
    const ends = encodeFlow(flow);
    const without = (note: string): ApplyProbe => ({
      ...ends,
      rules: "",
      result: "not-proved",
      note,
      proof: undefined,
    });
    const [from, to] = [endOf(mesh, flow.from, flow.fromNode), endOf(mesh, flow.to, flow.toNode)];
    if (signal.aborted) return without("nobody waits for it any more");
    if (authority.revision !== revision || from === undefined || to === undefined) return without(overtaken);
    const port = { protocol: "tcp", port: flow.port } as const;
    const way = endpointWay(compiler.compile(mesh), from, to, port, "");
    const hooks = await ways.ask(from, to, port, "", way);
    const { verdict, sentence } = pathVerdict(hooks, endpointSteps(way, flow, port, hooks), [], []);
    const receiver = whoListens(way, hooks);
    const inside = way.receiver?.address;
    // nobody has waited for the answers: then nobody waits for the connection
    if (signal.aborted) return without("nobody waits for it any more");
    const proof = await proofs.prove(dialPlanOf(mesh, from, to, port, "", way), verdict, receiver, inside);
    // the rules it met may be others than those that were asked
    if (authority.revision !== revision) return { ...without(overtaken), rules: verdict, proof };
    const listens = listensAt(receiver, inside ?? flow.destination);
    const result = probeResult({
      flow,
      meant: flow.meant,
      rules: verdict,
      sentence,
      proof,
      listens,
      isDropped: inside !== undefined,
    });
    return { ...ends, rules: verdict, ...result, proof };
  }
}

const noProbes = { basis: "", flows: 0, leftOut: 0, partly: false, revisionBefore: 0n, notMade: "" };

function encodeChoice({ basis, flows, leftOut, partly }: ProbeChoice, before: number) {
  return { ...noProbes, basis, flows: flows.length, leftOut, partly, revisionBefore: BigInt(before) };
}

function encodeFlow({ from, fromNode, to, toNode, portName, port, meant }: ChosenFlow) {
  return { from, fromNode, to, toNode, portName, port, meant };
}

function endOf(mesh: Mesh, name: string, node: string) {
  const service = mesh.services.find((each) => each.name === name);
  return service === undefined ? undefined : serviceEnd(mesh, service, node);
}
