// In: the operator's word that a node is banned, or is no longer. Out: everything that follows from it, recorded before it
// is acted on, and the nodes whose kernels are to carry it. Spreads at once and to all: a ban has no waves.
import { WeftError } from "@weft/shared/errors/weft-error";
import { normaliseAddress } from "@weft/shared/model/address";
import type { NodeFacts } from "@weft/shared/model/facts";
import type { Membership } from "../enrolment/membership.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Store } from "../store/store.ts";
import type { MeshAuthority } from "./mesh-authority.ts";

export interface BanDeskParts {
  readonly authority: MeshAuthority;
  readonly membership: Membership;
  readonly fleet: Fleet;
  readonly store: Store;
  readonly coordinator: {
    /** Gives every node what it is to be now. */
    refresh(): void;
    /** Members whose kernels do not carry what they were given. */
    behind(): readonly string[];
  };
  /** Signs and sends the trust bundle with the bans, and has SPIRE know them. */
  readonly settle: () => Promise<void>;
}

export interface BanOrder {
  readonly node: string;
  /** Of its machine, besides the one the mesh has for it. */
  readonly addresses: readonly string[];
  readonly reason: string;
  readonly claimedBy: string;
}

export interface BanOutcome {
  readonly done: readonly string[];
  /** Whose kernels are to be waited for. */
  readonly waited: readonly string[];
  /** Given it when they are back, before anything else. */
  readonly away: readonly string[];
}

/** Addresses by which its machine could be reached from elsewhere, as it says itself. */
function reported(facts: NodeFacts | undefined): string[] {
  const addresses = facts?.interfaces.flatMap((each) => each.addresses) ?? [];
  return addresses
    .flatMap((text) => normaliseAddress(text.replace(/\/.*/, "")) ?? [])
    .filter((address) => !/^(127\.|::1$|169\.254\.|fe80:)/.test(address));
}

export class BanDesk {
  readonly #parts: BanDeskParts;

  constructor(parts: BanDeskParts) {
    this.#parts = parts;
  }

  async ban({ node, addresses: others, reason, claimedBy }: BanOrder): Promise<BanOutcome> {
    const { membership, store, fleet } = this.#parts;
    this.#refuseForeign(node, others);
    const given = store.desired.get(node);
    if (given?.policy.guard.isCoordinator === true)
      throw new WeftError("WEFT-E101", `${node} carries the coordinator and cannot be banned`, {
        why: "Every node would lose its coordinator, and with it the way to undo this.",
      });
    const { connected, facts } = fleet.view(node);
    const address = this.#parts.authority.mesh?.nodes.find(({ name }) => name === node)?.address;
    // as on this day: a mesh file that moves its services on does not move what its machine has
    const endpoints = given?.policy.endpoints ?? [];
    const addresses = [...new Set([address ?? given?.address ?? [], endpoints, others].flat())];
    membership.ban({ node, addresses, claimedBy, reason });
    const more = reported(facts).filter((other) => !addresses.includes(other));
    return this.#follow([
      `nothing passes from or to ${addresses.join(", ")}`,
      ...(more.length === 0
        ? []
        : [
            `not banned, though its machine said that it has them: ${more.join(", ")} (unban, and ban with --address)`,
          ]),
      connected ? "its connection was ended, and its agent told that it is banned" : "it was not connected",
      "its certificates are not renewed any more, and its enrolment key opens nothing",
      "its SPIRE agent is evicted; certificates its services hold end within the hour",
    ]);
  }

  async unban({ node, reason, claimedBy }: BanOrder): Promise<BanOutcome> {
    this.#parts.membership.unban(node, claimedBy, reason);
    return this.#follow([
      "it is a member again with the keys it has; its agent asks again within a minute",
      "its SPIRE agent is forgotten, and attests anew",
    ]);
  }

  /** What a banned machine says of itself must not ban another: so the operator says it, and no node's is taken. */
  #refuseForeign(node: string, addresses: readonly string[]): void {
    const { authority, store } = this.#parts;
    const nodes = authority.mesh?.nodes ?? [];
    const coordinator = store.desired.get(node)?.policy.guard.coordinatorAddress;
    for (const address of addresses) {
      if (address === coordinator)
        throw new WeftError("WEFT-E101", `${address} is the coordinator's own address`);
      const owner = nodes.find((other) => other.address === address && other.name !== node);
      if (owner !== undefined)
        throw new WeftError("WEFT-E101", `${address} is the address of the node ${owner.name}`);
    }
  }

  async #follow(done: readonly string[]): Promise<BanOutcome> {
    const { coordinator, settle, fleet } = this.#parts;
    coordinator.refresh();
    await settle();
    const nodes = coordinator.behind();
    return {
      done,
      waited: nodes.filter((name) => fleet.view(name).connected),
      away: nodes.filter((name) => !fleet.view(name).connected),
    };
  }
}
