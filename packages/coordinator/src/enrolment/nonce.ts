// In: a secret made at start. Out: challenge nonces that need no memory until they are used: each carries its own
// expiry and a MAC. Only nonces of proofs that held are remembered, and those only until they would expire anyway,
// so strangers cannot fill the memory.
import { createHmac, timingSafeEqual } from "node:crypto";

export const nonceLifeMs = 30_000;
const randomBytes = 16;
const timeBytes = 8;
const macBytes = 32;

export class Nonces {
  readonly #secret: Uint8Array;
  readonly #used = new Map<string, number>();

  /** @param secret 32 random bytes */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  #mac(node: string, body: Uint8Array): Buffer {
    return createHmac("sha256", this.#secret).update(body).update(node).digest();
  }

  /** @param random 16 bytes from a cryptographic source */
  issue(node: string, random: Uint8Array, now: Date): Buffer {
    if (random.length !== randomBytes) throw new RangeError(`a nonce takes ${randomBytes} random bytes`);
    const expires = Buffer.alloc(timeBytes);
    expires.writeBigUInt64BE(BigInt(now.getTime() + nonceLifeMs));
    const body = Buffer.concat([random, expires]);
    return Buffer.concat([body, this.#mac(node, body)]);
  }

  /** Issued here for this node, not expired, not used. */
  isGood(node: string, nonce: Uint8Array, now: Date): boolean {
    if (nonce.length !== randomBytes + timeBytes + macBytes) return false;
    const body = Buffer.from(nonce.subarray(0, randomBytes + timeBytes));
    if (!timingSafeEqual(this.#mac(node, body), nonce.subarray(randomBytes + timeBytes))) return false;
    if (now.getTime() >= Number(body.readBigUInt64BE(randomBytes))) return false;
    return !this.#used.has(Buffer.from(nonce).toString("base64"));
  }

  /** To be called once the proof that holds the nonce was found right. */
  use(nonce: Uint8Array, now: Date): void {
    for (const [old, expires] of this.#used) if (expires <= now.getTime()) this.#used.delete(old);
    this.#used.set(Buffer.from(nonce).toString("base64"), now.getTime() + nonceLifeMs);
  }
}
