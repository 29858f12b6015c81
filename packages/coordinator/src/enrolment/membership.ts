// In: the operator's word that a node may join or must go, and a node's own word that it leaves. Out: a join token,
// or everything ended that the node's machine held, step by step, retried until it is done.
import { WeftError } from "@weft/shared/errors/weft-error";
import { parseNodeName, spireAgentId } from "@weft/shared/model/ids";
import { formatJoinToken } from "@weft/shared/model/join-token";
import type { SpireServer } from "../spire/spire-server.ts";
import type { EnrolmentState } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { sha256Hex } from "./enrolment-key.ts";

export interface MembershipParts {
  readonly store: Store;
  readonly spire: Pick<SpireServer, "banAgent" | "deleteAgent">;
  readonly trustDomain: string;
  readonly now: () => Date;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly changed: (node: string, state: EnrolmentState) => void;
}

export interface TokenWish {
  readonly node: string;
  /** undefined: good from anywhere. */
  readonly address: string | undefined;
  readonly ttlSeconds: number;
  readonly actor: string;
  /** The node answers at this moment. */
  readonly online: boolean;
}

export interface BanWish {
  readonly node: string;
  /** That its machine has. */
  readonly addresses: readonly string[];
  readonly claimedBy: string;
  readonly reason: string;
}

export const defaultTokenSeconds = 15 * 60;
export const longestTokenSeconds = 7 * 24 * 3600;

export class Membership {
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  addToken(wish: TokenWish): { readonly token: string; readonly expires: Date } {
    const { store, now } = this.#parts;
    this.#refuseUnfit(wish);
    const token = formatJoinToken(parseNodeName(wish.node), this.#parts.randomBytes(24));
    const expires = new Date(now().getTime() + wish.ttlSeconds * 1000);
    const hash = sha256Hex(token);
    store.transaction(() => {
      store.tokens.dropExpired(new Date(now().getTime() - longestTokenSeconds * 1000));
      store.tokens.dropOf(wish.node);
      store.tokens.put({
        hash,
        node: wish.node,
        address: wish.address,
        expires,
        claim: undefined,
        answer: undefined,
      });
      this.#audit(
        wish.actor,
        "token made",
        wish.node,
        `for ${wish.address ?? "any address"}, until ${expires.toISOString()}`,
      );
    });
    return { token, expires };
  }

  #refuseUnfit({ node, ttlSeconds, online }: TokenWish): void {
    const { store, now } = this.#parts;
    if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > longestTokenSeconds)
      throw new WeftError("WEFT-E001", "a join token lives between 1 second and 7 days");
    const state = store.nodes.get(node)?.state;
    if (state === "banned") throw new WeftError("WEFT-E204", `the node ${node} is banned`);
    if ((state === "joining" || state === "enrolled") && online)
      throw new WeftError("WEFT-E101", `the node ${node} has joined and answers`, {
        why: "a second machine under its name would take its place",
        hint: `run \`weft-node-agent leave\` on ${node} first`,
      });
    const eviction = store.evictions.get(node);
    if (state === "removed" && eviction !== undefined && eviction.due > now())
      throw new WeftError("WEFT-E101", `the name ${node} is not free yet`, {
        why: `a certificate with which the removed machine could attest to SPIRE ends at ${eviction.due.toISOString()}`,
        hint: "try again after that time",
      });
  }

  /** The node has undone everything by itself. */
  leave(node: string): void {
    this.#end(node, "left", node, "left");
  }

  remove(node: string, actor: string): void {
    this.#end(node, "removed", actor, "removed");
  }

  /** For good, until it is unbanned. */
  ban(wish: BanWish): void {
    const { store, now } = this.#parts;
    const { node, addresses, claimedBy, reason } = wish;
    if (store.nodes.get(node)?.state === "banned")
      throw new WeftError("WEFT-E204", `the node ${node} is banned already`);
    this.#end(node, "banned", claimedBy, "banned", () => {
      store.bans.put({ node, addresses, at: now(), claimedBy, reason });
      return reason;
    });
  }

  /** A member again, with the keys it had. */
  unban(name: string, actor: string, reason: string): void {
    const { store, now, trustDomain } = this.#parts;
    if (store.nodes.get(name)?.state !== "banned")
      throw new WeftError("WEFT-E103", `the node ${name} is not banned`);
    store.transaction(() => {
      store.nodes.setState(name, "enrolled");
      store.bans.drop(name);
      // SPIRE forgets the agent, and with it that it was banned: the node attests anew
      store.evictions.put({ node: name, agentId: spireAgentId(trustDomain, name), due: now() });
      this.#audit(actor, "unbanned", name, reason);
    });
    this.#parts.changed(name, "enrolled");
  }

  #end(
    name: string,
    state: "left" | "removed" | "banned",
    actor: string,
    action: string,
    alongside: () => string = () => "",
  ): void {
    const { store, now, trustDomain } = this.#parts;
    const node = store.nodes.get(name);
    // A token that nobody has used yet must not outlive the operator's word either.
    if (node === undefined) store.tokens.dropOf(name);
    if (node === undefined) throw new WeftError("WEFT-E103", `the node ${name} never joined`);
    if (node.state === "banned")
      throw new WeftError("WEFT-E204", `the node ${name} is banned`, {
        hint: `\`weft node unban ${name}\` first, when its machine is no danger any more`,
      });
    const due = new Date(Math.max(now().getTime(), node.exchangeExpires?.getTime() ?? 0));
    store.transaction(() => {
      store.nodes.setState(name, state);
      store.tokens.dropOf(name);
      store.evictions.put({ node: name, agentId: spireAgentId(trustDomain, name), due });
      const why = alongside();
      const forgotten = `its SPIRE agent is forgotten at ${due.toISOString()}`;
      this.#audit(actor, action, name, why === "" ? forgotten : `${why}; ${forgotten}`);
    });
    this.#parts.changed(name, state);
  }

  /**
   * Ends what SPIRE still holds of nodes that are gone. A ban stays until no certificate can bring the agent back;
   * only then is the agent deleted, which lifts the ban and frees the name. To be run again until it is done.
   */
  async evict(): Promise<void> {
    const { store, spire, now } = this.#parts;
    for (const { node, agentId, due } of store.evictions.list()) {
      const isDue = due <= now();
      const state = store.nodes.get(node)?.state;
      if (!isDue && (state === "removed" || state === "banned")) await spire.banAgent(agentId);
      else await spire.deleteAgent(agentId);
      // A node that joined again meanwhile took its eviction away; what it attests is its own.
      if (isDue && store.evictions.get(node)?.due.getTime() === due.getTime()) store.evictions.drop(node);
    }
  }

  #audit(actor: string, action: string, subject: string, detail: string): void {
    this.#parts.store.audit.append({ at: this.#parts.now(), actor, action, subject, detail });
  }
}
