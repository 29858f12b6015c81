// In: a node's enrolment key (SPKI DER) and what it signed. Out: whether it is an Ed25519 key and the signature its.
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";

function keyOf(spki: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    // No key at all: nothing can be proved with it, which is the answer.
    return undefined;
  }
}

export function provesPossession(spki: Uint8Array, payload: Uint8Array, signature: Uint8Array): boolean {
  const key = keyOf(spki);
  return key !== undefined && signature.length === 64 && verify(null, payload, key, signature);
}

export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
