// In: a node's enrolment key (SPKI DER) and what it signed. Out: whether it is an Ed25519 key and the signature its.
import { createHash, verify } from "node:crypto";
import { readPublicKey } from "../trust/public-key.ts";

export function provesPossession(spki: Uint8Array, payload: Uint8Array, signature: Uint8Array): boolean {
  const key = readPublicKey(spki);
  return key !== undefined && signature.length === 64 && verify(null, payload, key, signature);
}

export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
