// In: an authorised node and its certificate request. Out: an X509Svid message for the one ID the node may have here.
// Nothing about the certificate is the caller's choice but its key.
import type { X509Svid } from "@weft/shared/gen/weft/v1/trust";
import { exchangeId, nodeId } from "@weft/shared/model/ids";
import type { SpireServer } from "../spire/spire-server.ts";
import type { GivenSvid } from "../store/records.ts";
import type { NodeTable } from "../store/store.ts";

export interface MintingParts {
  readonly spire: Pick<SpireServer, "mintX509Svid">;
  readonly nodes: NodeTable;
  readonly trustDomain: string;
  readonly nodeSvidSeconds: number;
  readonly exchangeSvidSeconds: number;
}

export function svidMessage(spiffeId: string, given: Pick<GivenSvid, "chain" | "expires">): X509Svid {
  return { spiffeId, chain: given.chain.map((der) => Buffer.from(der)), expires: given.expires };
}

export class MintingDesk {
  readonly #parts: MintingParts;

  constructor(parts: MintingParts) {
    this.#parts = parts;
  }

  async nodeSvid(node: string, csrDer: Uint8Array): Promise<X509Svid> {
    const spiffeId = nodeId(this.#parts.trustDomain, node);
    const ttlSeconds = this.#parts.nodeSvidSeconds;
    return svidMessage(spiffeId, await this.#parts.spire.mintX509Svid({ csrDer, spiffeId, ttlSeconds }));
  }

  /** For one attestation of the node's SPIRE agent; its end is recorded, since until then the agent could return. */
  async exchangeSvid(node: string, csrDer: Uint8Array): Promise<X509Svid> {
    const spiffeId = exchangeId(this.#parts.trustDomain, node);
    const ttlSeconds = this.#parts.exchangeSvidSeconds;
    const minted = await this.#parts.spire.mintX509Svid({ csrDer, spiffeId, ttlSeconds });
    this.#parts.nodes.setExchangeExpires(node, minted.expires);
    return svidMessage(spiffeId, minted);
  }
}
