// In: what an operator wants with a node: to invite it, or to end it. Out: done and recorded, and said in sentences.
// Which nodes there are is said in the mesh file, not here.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Membership } from "../enrolment/membership.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { stateOf } from "../fleet/node-view.ts";
import type { ConditionBoard } from "../rollout/condition-board.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { Store } from "../store/store.ts";
import type { Sessions } from "./sessions.ts";

export interface NodeDeskParts {
  readonly store: Store;
  readonly authority: MeshAuthority;
  readonly fleet: Fleet;
  readonly sessions: Sessions;
  readonly membership: Membership;
  readonly board: ConditionBoard;
  /** Registration entries are to be looked at; resolves when they were. */
  readonly reconcile: () => Promise<void>;
  readonly now: () => Date;
}

export class NodeDesk {
  readonly #parts: NodeDeskParts;

  constructor(parts: NodeDeskParts) {
    this.#parts = parts;
  }

  add(name: string, ttlSeconds: number, fromAny: boolean): { token: string; expires: Date } {
    const { authority, membership, fleet, now } = this.#parts;
    const node = authority.mesh?.nodes.find((candidate) => candidate.name === name);
    if (node === undefined)
      throw new WeftError("WEFT-E103", `the applied mesh has no node "${name}"`, {
        hint: "add it under `nodes:` in the mesh file, run `weft apply`, then this again",
      });
    const view = fleet.view(name);
    return membership.addToken({
      node: name,
      address: fromAny ? undefined : node.address,
      ttlSeconds,
      actor: "operator",
      online: view.connected && stateOf(view, now()) !== "Lost",
    });
  }

  async remove(name: string): Promise<string[]> {
    const { authority, membership, store, sessions, board } = this.#parts;
    if (authority.inForce.names(name))
      throw new WeftError("WEFT-E104", `the mesh file still names ${name}`, {
        hint: "take it out of the mesh file, run `weft apply --accept-risk GUARD-NODE`, then this again",
      });
    const connected = sessions.of(name) !== undefined;
    membership.remove(name, "operator");
    store.desired.drop(name);
    await this.#parts.reconcile();
    const eviction = store.evictions.get(name);
    const spireAway = board.list().some((condition) => condition.code === "SPIRE_SERVER_AWAY");
    const agent =
      eviction === undefined
        ? "its SPIRE agent was deleted"
        : `its SPIRE agent is banned, and forgotten at ${eviction.due.toISOString()}`;
    return [
      connected ? "its connection was ended, and its agent told that it is removed" : "it was not connected",
      "its certificates are not renewed any more, and it cannot come back without a new join token",
      ...(spireAway
        ? ["the SPIRE server does not answer: SPIRE agent and registration entries are ended when it does"]
        : [
            agent,
            "its services' registration entries are deleted; certificates they hold end within the hour",
          ]),
    ];
  }
}
