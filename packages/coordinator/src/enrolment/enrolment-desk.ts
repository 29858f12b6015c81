// In: requests to join, to come back, to leave, whose signatures were checked. Out: certificates or refusals, with
// everything recorded before an answer leaves. Decisions are made in join-rules.ts and re-entry-rules.ts.
import { WeftError } from "@weft/shared/errors/weft-error";
import { nodeId } from "@weft/shared/model/ids";
import { checkCsr } from "../spire/minting.ts";
import type { MintedSvid, SpireServer } from "../spire/spire-server.ts";
import type { EnrolmentState, GivenSvid, NodeRecord, TokenClaim } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { sha256Hex } from "./enrolment-key.ts";
import { decideJoin, type JoinDecision, wrongToken } from "./join-rules.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { decideReEntry } from "./re-entry-rules.ts";

export interface DeskParts {
  readonly store: Store;
  readonly spire: Pick<SpireServer, "mintX509Svid">;
  readonly trustDomain: string;
  readonly nodeSvidSeconds: number;
  readonly now: () => Date;
  /** Called after every change of a node's enrolment was recorded. */
  readonly changed: (node: string, state: EnrolmentState) => void;
}

export interface JoinRequest {
  readonly token: string;
  readonly csrDer: Uint8Array;
  /** Its possession was proved over token and request. */
  readonly enrolmentKey: Uint8Array;
  readonly address: string;
  readonly agentVersion: string;
}

export interface Admission {
  readonly node: string;
  readonly given: GivenSvid;
  readonly generation: number;
}

export class EnrolmentDesk {
  readonly #parts: DeskParts;
  readonly #queue = new KeyedQueue();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  join(request: JoinRequest): Promise<Admission> {
    const token = this.#parts.store.tokens.get(sha256Hex(request.token));
    // One at a time for each node, so that the second of two keys always finds the first one recorded.
    return this.#queue.run(token === undefined ? "" : token.node, () => this.#join(request));
  }

  async #join(request: JoinRequest): Promise<Admission> {
    const { store, now } = this.#parts;
    const hash = sha256Hex(request.token);
    const key = sha256Hex(request.enrolmentKey);
    const csrHash = sha256Hex(request.csrDer);
    const token = store.tokens.get(hash);
    const node = token === undefined ? undefined : store.nodes.get(token.node);
    const decision = decideJoin({ token, node, key, csrHash, address: request.address, now: now() });
    switch (decision.kind) {
      case "refuse":
      case "conflict":
        throw this.#refusedJoin(decision, request.address, token?.answer === undefined);
      case "replay":
        this.#audit(`key ${key}`, "join repeated", decision.node, `from ${request.address}`);
        return { node: decision.node, given: decision.given, generation: node?.enrolmentGeneration ?? 1 };
      case "mint": {
        checkCsr(request.csrDer, this.#idOf(decision.node));
        if (decision.claim !== undefined) this.#claim(hash, decision.node, decision.claim);
        const minted = await this.#mint(decision.node, request.csrDer);
        return this.#admit(hash, decision.node, request, minted);
      }
    }
  }

  #idOf(node: string): string {
    return nodeId(this.#parts.trustDomain, node);
  }

  #mint(node: string, csrDer: Uint8Array): Promise<MintedSvid> {
    const { spire, nodeSvidSeconds } = this.#parts;
    return spire.mintX509Svid({ csrDer, spiffeId: this.#idOf(node), ttlSeconds: nodeSvidSeconds });
  }

  #refusedJoin(
    decision: Extract<JoinDecision, { readonly sentence: string }>,
    address: string,
    unanswered: boolean,
  ): WeftError {
    const subject = decision.node ?? "unknown";
    if (decision.kind === "conflict") {
      this.#parts.store.transaction(() => {
        // A token without an answer lets a suspended node in again (join-rules.ts): not this one.
        if (unanswered) this.#parts.store.tokens.dropOf(decision.node);
        this.#parts.store.nodes.setState(decision.node, "suspended");
        this.#audit(address, "join conflict", subject, decision.detail);
      });
      this.#parts.changed(decision.node, "suspended");
    } else if (decision.node !== undefined) {
      // Tokens nobody was given are not worth a line each: anybody on the network could fill the disk with them.
      this.#audit(address, "join refused", subject, decision.sentence);
    }
    return new WeftError("WEFT-E201", decision.sentence);
  }

  #claim(hash: string, node: string, claim: TokenClaim): void {
    this.#parts.store.transaction(() => {
      this.#parts.store.tokens.claim(hash, claim);
      this.#audit(`key ${claim.key}`, "token claimed", node, `from ${claim.address}`);
    });
  }

  #admit(hash: string, name: string, request: JoinRequest, minted: MintedSvid): Admission {
    const { store, now, changed } = this.#parts;
    // Minting takes a while: the operator may have removed the node meanwhile, or made another token for it.
    if (store.tokens.get(hash) === undefined) throw new WeftError("WEFT-E201", wrongToken);
    const given = { csrHash: sha256Hex(request.csrDer), chain: minted.chain, expires: minted.expires };
    const held = store.nodes.get(name);
    const same =
      held !== undefined &&
      (held.state === "joining" || held.state === "enrolled") &&
      Buffer.from(held.enrolmentKey).equals(request.enrolmentKey);
    const node: NodeRecord = same
      ? held
      : {
          name,
          state: "joining",
          enrolmentKey: request.enrolmentKey,
          enrolmentGeneration: 1,
          svidNotBefore: minted.notBefore,
          joinedAt: now(),
          agentVersion: request.agentVersion,
          lastSeen: undefined,
          reEntry: undefined,
          exchangeExpires: held?.exchangeExpires,
        };
    store.transaction(() => {
      store.nodes.put(node);
      if (!same) {
        store.reports.drop(name);
        store.evictions.drop(name);
      }
      store.tokens.answer(hash, given);
      this.#audit(
        `key ${sha256Hex(request.enrolmentKey)}`,
        "joined",
        name,
        `from ${request.address}, agent ${request.agentVersion.slice(0, 40)}`,
      );
    });
    if (!same) changed(name, "joining");
    return { node: name, given, generation: node.enrolmentGeneration };
  }

  /** The proof's signature by the node's enrolment key and its nonce were checked. */
  reEnter(name: string, generation: number, csrDer: Uint8Array): Promise<Admission> {
    return this.#queue.run(name, async () => {
      const { store } = this.#parts;
      const node = store.nodes.get(name);
      if (node === undefined) throw new WeftError("WEFT-E204", `the node ${name} is not known here`);
      const decision = decideReEntry({ node, generation, csrHash: sha256Hex(csrDer) });
      switch (decision.kind) {
        case "refuse":
          throw new WeftError("WEFT-E204", decision.sentence);
        case "clone":
          store.transaction(() => {
            store.nodes.setState(name, "suspended");
            this.#audit(
              name,
              "suspended",
              name,
              `it came back with enrolment generation ${generation}, and ${node.enrolmentGeneration} was given out`,
            );
          });
          this.#parts.changed(name, "suspended");
          throw new WeftError("WEFT-E204", decision.sentence);
        case "replay":
          return { node: name, given: decision.given, generation: decision.generation };
        case "mint": {
          checkCsr(csrDer, this.#idOf(name));
          const minted = await this.#mint(name, csrDer);
          const given = { csrHash: sha256Hex(csrDer), chain: minted.chain, expires: minted.expires };
          store.transaction(() => {
            store.nodes.setReEntry(name, decision.generation, given);
            this.#audit(name, "came back", name, `enrolment generation ${decision.generation}`);
          });
          return { node: name, given, generation: decision.generation };
        }
      }
    });
  }

  #audit(actor: string, action: string, subject: string, detail: string): void {
    this.#parts.store.audit.append({ at: this.#parts.now(), actor, action, subject, detail });
  }
}
