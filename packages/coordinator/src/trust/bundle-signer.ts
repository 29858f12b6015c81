// In: what nodes shall trust. Out: the same, signed by the online key so that a node can follow it to its pin.
// Every field of a bundle is the caller's; only its length of life is bounded here.
import { sign } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import { encodeNonceReply } from "@weft/shared/wire/signed-parts";
import { bundleLifeMs, encodeTrustBundle, type TrustBundle } from "@weft/shared/wire/trust-bundle";
import type { OnlineKey } from "./online-key.ts";

/** Has the fields of weft.v1.SignedTrustBundle. */
export interface SignedBundle {
  readonly bundle: Buffer;
  readonly bundleSignature: Buffer;
  readonly signingKey: Buffer;
  readonly signingKeySignature: Buffer;
  readonly rootPublicKey: Buffer;
}

export interface SignedNonce {
  readonly nonceReply: Buffer;
  readonly nonceSignature: Buffer;
}

export class BundleSigner {
  readonly pin: string;
  readonly meshId: string;
  /** The operator is warned 30 days before. */
  readonly notAfter: Date;
  readonly #key: OnlineKey;

  constructor(key: OnlineKey) {
    this.#key = key;
    this.pin = key.pin;
    this.meshId = key.meshId;
    this.notAfter = key.notAfter;
  }

  sign(bundle: TrustBundle): SignedBundle {
    if (bundle.meshId !== this.meshId) throw new Error("the bundle is another mesh's");
    if (bundle.expires.getTime() - bundle.issued.getTime() > bundleLifeMs)
      throw new RangeError("a trust bundle lives at most 7 days");
    if (bundle.issued > this.notAfter)
      throw new WeftError("WEFT-E200", "the online signing key has expired", {
        why: `It was good until ${this.notAfter.toISOString()}.`,
        hint: "bring the sealed mesh root back and run `weft init` again to make a new one",
      });
    const payload = Buffer.from(encodeTrustBundle(bundle));
    return {
      bundle: payload,
      bundleSignature: sign(null, payload, this.#key.privateKey),
      signingKey: Buffer.from(this.#key.signingKey),
      signingKeySignature: Buffer.from(this.#key.signingKeySignature),
      rootPublicKey: Buffer.from(this.#key.rootPublicKey),
    };
  }

  /** Proves that the answer it goes with is fresh, and tells the clock. */
  signNonce(nonce: Uint8Array, now: Date, sequence: number): SignedNonce {
    const nonceReply = Buffer.from(encodeNonceReply({ nonce, serverTime: now, sequence }));
    return { nonceReply, nonceSignature: sign(null, nonceReply, this.#key.privateKey) };
  }
}
