// In: bytes. Out: an Ed25519 public key, or undefined if they are anything else.
import { createPublicKey, type KeyObject } from "node:crypto";

export function readPublicKey(spkiDer: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spkiDer), format: "der", type: "spki" });
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    // Not a key: the answer.
    return undefined;
  }
}
