// In: what the mesh root or the signing key is about to sign. Out: its bytes, with the context that keeps one kind of
// signature from passing for another. The signer's half of trust-bundle.ts.
import { NonceReply } from "../gen/weft/v1/enrol.ts";
import { SigningKey } from "../gen/weft/v1/trust.ts";
import { present } from "./number.ts";
import { nonceContext, signingKeyContext } from "./trust-bundle.ts";

export interface SigningKeyTerms {
  readonly meshId: string;
  /** Ed25519, SPKI DER. */
  readonly publicKey: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export function encodeSigningKey(terms: SigningKeyTerms): Uint8Array {
  return SigningKey.encode({
    ...terms,
    context: signingKeyContext,
    publicKey: Buffer.from(terms.publicKey),
  }).finish();
}

/** Its signature is not checked here. */
export function decodeSigningKey(bytes: Uint8Array): SigningKeyTerms {
  const message = SigningKey.decode(bytes);
  return {
    meshId: message.meshId,
    publicKey: message.publicKey,
    notBefore: present(message.notBefore, "signing key's first day"),
    notAfter: present(message.notAfter, "signing key's last day"),
  };
}

export interface NonceTerms {
  readonly nonce: Uint8Array;
  readonly serverTime: Date;
  /** Of the bundle in the same answer. */
  readonly sequence: number;
}

export function encodeNonceReply(terms: NonceTerms): Uint8Array {
  return NonceReply.encode({
    context: nonceContext,
    nonce: Buffer.from(terms.nonce),
    serverTime: terms.serverTime,
    sequence: BigInt(terms.sequence),
  }).finish();
}
