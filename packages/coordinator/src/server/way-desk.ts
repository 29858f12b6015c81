// In: the two ends of a connection. Out: what each kernel on its way answers, as loaded now, with the place in the mesh
// file of what decides. Asks nodes; changes nothing.
import { baselineName } from "@weft/shared/model/desired";
import type { KernelAnswer, KernelQuestion, NoAnswer } from "@weft/shared/model/observation";
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

export class WayDesk {
  readonly #parts: WayDeskParts;

  constructor(parts: WayDeskParts) {
    this.#parts = parts;
  }

  /** Every kernel on the way, all at once. @param via the node that forwards for the source; empty: none */
  async ask(from: Endpoint, to: Endpoint, port: AskedPort, via: string): Promise<HookAnswer[]> {
    const { desk, store, fleet } = this.#parts;
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
      const { floor } = fleet.view(node).report ?? {};
      const wanted = store.desired.get(node);
      return { kind, node, answer: this.#placed(node, answer, wanted), wanted, floor };
    };
    const asked: Promise<HookAnswer>[] = [];
    const source = sender.address;
    if (sender.node !== "")
      asked.push(ask("sender", sender.node, { hook: "output", source, user: from.user }));
    // behind masquerading the receiver sees the node that forwards
    const behind =
      via === ""
        ? source
        : (requireMesh(this.#parts.authority).nodes.find(({ name }) => name === via)?.address ?? source);
    if (via !== "") asked.push(ask("forward", via, { hook: "forward", source, user: "" }));
    if (receiver.node !== "")
      asked.push(ask("receiver", receiver.node, { hook: "input", source: behind, user: "" }));
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
