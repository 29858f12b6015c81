// In: the two ends of a connection. Out: what each kernel on its way answers, as loaded now, with the place in the mesh
// file of what decides. Asks nodes; changes nothing.
import { baselineName } from "@weft/shared/model/desired";
import type { KernelAnswer, KernelQuestion, NoAnswer } from "@weft/shared/model/observation";
import type { EndpointWay } from "../explain/endpoint-way.ts";
import type { AskedPort, Endpoint } from "../explain/endpoints.ts";
import { movedOrigins } from "../explain/moved-origins.ts";
import type { HookAnswer } from "../explain/why-path.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { MeshCompiler } from "../rollout/mesh-compiler.ts";
import type { StoredDesired } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { requireMesh } from "./flow-desk.ts";
import type { KernelDesk } from "./question-desk.ts";

export interface WayDeskParts {
  readonly authority: MeshAuthority;
  readonly compiler: MeshCompiler;
  readonly store: Store;
  readonly fleet: Fleet;
  readonly desk: KernelDesk;
}

/** undefined: by no hook. */
function arrivalAt({ sender, receiver, isDirect }: EndpointWay, { port }: AskedPort, isOneMachine: boolean) {
  if (receiver === undefined) return { hook: "input" } as const;
  if (isDirect) return sender === receiver ? undefined : ({ hook: "forward" } as const);
  // what a machine sends itself is not forwarded
  if (isOneMachine) return undefined;
  return { hook: "forward", destination: receiver.address, publishedPort: port } as const;
}

export class WayDesk {
  readonly #parts: WayDeskParts;

  constructor(parts: WayDeskParts) {
    this.#parts = parts;
  }

  /** Every kernel on the way, all at once. @param via the node that forwards for the source; empty: none */
  async ask(
    from: Endpoint,
    to: Endpoint,
    port: AskedPort,
    via: string,
    way: EndpointWay,
  ): Promise<HookAnswer[]> {
    const { desk, store, fleet } = this.#parts;
    const sender = from.identity;
    const receiver = to.identity;
    const isOneMachine = sender.node !== "" && sender.node === receiver.node;
    const ask = async (
      kind: HookAnswer["kind"],
      node: string,
      what: Pick<KernelQuestion, "hook" | "source" | "user"> & Partial<KernelQuestion>,
    ): Promise<HookAnswer> => {
      const answer = await desk.ask(node, {
        destination: way.destination,
        ...port,
        local: isOneMachine && way.sender === undefined,
        publishedPort: undefined,
        ...what,
      });
      const { floor } = fleet.view(node).report ?? {};
      const wanted = store.desired.get(node);
      return { kind, node, answer: this.#placed(node, answer, wanted), wanted, floor };
    };
    const asked: Promise<HookAnswer>[] = [];
    const { source, seenSource } = way;
    // what an endpoint sends is forwarded by its machine; between two of one machine that happens once
    if (way.sender === undefined && sender.node !== "")
      asked.push(ask("sender", sender.node, { hook: "output", source, user: from.user }));
    else if (way.sender !== undefined && !isOneMachine)
      asked.push(ask("sender", sender.node, { hook: "forward", source, user: "" }));
    // behind masquerading the receiver sees the node that forwards
    if (via !== "") asked.push(ask("forward", via, { hook: "forward", source, user: "" }));
    const arrives = receiver.node === "" ? undefined : arrivalAt(way, port, isOneMachine);
    if (arrives !== undefined)
      asked.push(ask("receiver", receiver.node, { ...arrives, source: seenSource, user: "" }));
    return Promise.all(asked);
  }

  /** With the line where it is now, which may not be where it was when the node was given its rules. */
  #placed(
    node: string,
    answer: KernelAnswer | NoAnswer,
    given: StoredDesired | undefined,
  ): KernelAnswer | NoAnswer {
    const { compiler, authority } = this.#parts;
    if ("problem" in answer || answer.line === 0 || given?.digest !== answer.digest) return answer;
    const now = compiler.compile(requireMesh(authority)).get(node);
    if (now === undefined || compiler.digest(now) !== answer.digest) return answer;
    const policy = answer.decidedBy === "baseline" ? baselineName : answer.policy;
    const { file, line } = movedOrigins(given.policy, now.policy)({ ...answer, policy });
    return { ...answer, file, line };
  }
}
