// In: a source (an address, a node's name) and the time. Out: whether it may ask now. A token bucket per source; memory is bounded by
// forgetting the source that has been quiet longest.

export interface RateLimits {
  readonly perSecond: number;
  readonly burst: number;
  readonly sources: number;
}

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** An IPv6 host has a whole /64 to speak from: it counts as one source. Known nodes are not to be asked for here. */
export function sourceOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = ""] = address.split("::");
  const groups = head.split(":").filter((group) => group !== "");
  return `${groups.slice(0, 4).join(":")}::/64`;
}

export class RateLimit {
  readonly #limits: RateLimits;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  admits(source: string, now: Date): boolean {
    const { perSecond, burst, sources } = this.#limits;
    const bucket = this.#buckets.get(source);
    const elapsed = bucket === undefined ? 0 : Math.max(0, now.getTime() - bucket.at);
    const tokens =
      bucket === undefined ? burst : Math.min(burst, bucket.tokens + (elapsed / 1000) * perSecond);
    const admitted = tokens >= 1;
    // Re-inserted, so that the map's order is the order of last use.
    this.#buckets.delete(source);
    this.#buckets.set(source, { tokens: admitted ? tokens - 1 : tokens, at: now.getTime() });
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size > sources && oldest.done !== true) this.#buckets.delete(oldest.value);
    return admitted;
  }

  get sources(): number {
    return this.#buckets.size;
  }
}
