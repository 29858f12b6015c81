import { describe, expect, it } from "@jest/globals";
import { Nonces, nonceLifeMs } from "./nonce.ts";
import { RateLimit, sourceOf } from "./rate-limit.ts";

const now = new Date("2026-03-01T10:00:00Z");
const after = (ms: number) => new Date(now.getTime() + ms);
const random = new Uint8Array(16).fill(5);

describe("a challenge nonce", () => {
  const nonces = new Nonces(new Uint8Array(32).fill(1));
  const nonce = nonces.issue("web1", random, now);

  it("is good for its node until it expires", () => {
    expect(nonces.isGood("web1", nonce, after(nonceLifeMs - 1))).toBe(true);
    expect(nonces.isGood("web1", nonce, after(nonceLifeMs))).toBe(false);
    expect(nonces.isGood("api1", nonce, now)).toBe(false);
  });

  it("is good once", () => {
    const other = nonces.issue("web1", new Uint8Array(16).fill(6), now);
    nonces.use(other, now);
    expect(nonces.isGood("web1", other, now)).toBe(false);
    expect(nonces.isGood("web1", nonce, now)).toBe(true);
  });

  it("cannot be made up or changed", () => {
    expect(nonces.isGood("web1", new Uint8Array(0), now)).toBe(false);
    for (let index = 0; index < nonce.length; index++) {
      const changed = Buffer.from(nonce);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(nonces.isGood("web1", changed, now)).toBe(false);
    }
    expect(new Nonces(new Uint8Array(32).fill(2)).isGood("web1", nonce, now)).toBe(false);
  });
});

describe("the rate limit", () => {
  it("admits a burst, then the rate, for each source by itself", () => {
    const limit = new RateLimit({ perSecond: 2, burst: 3, sources: 10 });
    const admitted = [1, 2, 3, 4].map(() => limit.admits("10.0.0.1", now));
    expect(admitted).toEqual([true, true, true, false]);
    expect(limit.admits("10.0.0.2", now)).toBe(true);
    expect(limit.admits("10.0.0.1", after(499))).toBe(false);
    expect(limit.admits("10.0.0.1", after(500))).toBe(true);
    expect(limit.admits("10.0.0.1", after(501))).toBe(false);
  });

  it("counts a whole /64 as one source", () => {
    expect(sourceOf("2001:db8:1:2:3:4:5:6")).toBe(sourceOf("2001:db8:1:2:ffff::1"));
    expect(sourceOf("2001:db8:1:3::1")).not.toBe(sourceOf("2001:db8:1:2::1"));
  });

  it("keeps its memory bounded, forgetting the quietest", () => {
    const limit = new RateLimit({ perSecond: 0.01, burst: 1, sources: 100 });
    for (let index = 0; index < 10_000; index++) {
      limit.admits(`10.0.${index >> 8}.${index & 255}`, after(index));
      limit.admits("192.0.2.1", after(index));
    }
    expect(limit.sources).toBe(100);
    expect(limit.admits("192.0.2.1", after(10_000))).toBe(false);
  });
});
