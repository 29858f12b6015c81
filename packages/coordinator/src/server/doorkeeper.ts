// In: the TCP connections of one port, before anything of them is read. Out: the ones that may stay: so many at once,
// so many from one source, none that has fallen silent. grpc-js only half-closes what its own limits end, so that a
// client which never reads would stay for ever.
import { sourceOf } from "../enrolment/rate-limit.ts";
import { sourceAddress } from "./source-address.ts";

export interface DoorLimits {
  /** Strangers find the door shut beyond this; a known node only minds `perSource`. */
  readonly total: number;
  readonly perSource: number;
  /** Whoever lives answers the keepalive pings, which come every 10 s. */
  readonly quietMs: number;
  /** Nobody stays longer, whatever he says. */
  readonly longestMs?: number;
}

/** What of a socket is needed here. */
export interface Visitor {
  readonly remoteAddress?: string | undefined;
  readonly bytesRead: number;
  destroy(): unknown;
  once(event: "close", heard: () => void): unknown;
}

interface Visit {
  readonly since: number;
  heard: number;
  bytes: number;
}

export class Doorkeeper {
  readonly #limits: DoorLimits;
  readonly #isKnown: (address: string) => boolean;
  readonly #visits = new Map<Visitor, Visit>();
  readonly #counts = new Map<string, number>();

  constructor(limits: DoorLimits, isKnown: (address: string) => boolean) {
    this.#limits = limits;
    this.#isKnown = isKnown;
  }

  get open(): number {
    return this.#visits.size;
  }

  /** How often to sweep. */
  get sweepMs(): number {
    return this.#limits.quietMs / 6;
  }

  /** False: it was refused, and is closed. */
  admit(visitor: Visitor, now: number): boolean {
    const address = sourceAddress(`${visitor.remoteAddress ?? ""}:0`);
    const known = this.#isKnown(address);
    const source = known ? address : sourceOf(address);
    const count = this.#counts.get(source) ?? 0;
    const full = !known && this.#visits.size >= this.#limits.total;
    if (full || count >= this.#limits.perSource) {
      visitor.destroy();
      return false;
    }
    this.#counts.set(source, count + 1);
    this.#visits.set(visitor, { since: now, heard: now, bytes: 0 });
    visitor.once("close", () => {
      this.#visits.delete(visitor);
      const left = (this.#counts.get(source) ?? 0) - 1;
      if (left > 0) this.#counts.set(source, left);
      else this.#counts.delete(source);
    });
    return true;
  }

  /** To be called often: ends the silent and the overdue. */
  sweep(now: number): void {
    const { quietMs, longestMs } = this.#limits;
    for (const [visitor, visit] of this.#visits) {
      if (visitor.bytesRead !== visit.bytes) {
        visit.bytes = visitor.bytesRead;
        visit.heard = now;
      }
      const overdue = longestMs !== undefined && now - visit.since >= longestMs;
      if (overdue || now - visit.heard >= quietMs) visitor.destroy();
    }
  }

  closeAll(): void {
    for (const visitor of this.#visits.keys()) visitor.destroy();
  }
}
