// In: flows of endpoints as they are heard, one by one. Out: which there were, how often and when last; which parts of that are
// full, and who has opened more than is remembered of one source. Bounded, and as long as the kernel remembers its own
// (nftables-records.ts). No clock, no I/O.
import type { Traffic } from "@weft/shared/model/desired";
import type { FlowKind, ObservedFlow, SpentQuota } from "@weft/shared/model/observation";
import { quotas } from "@weft/shared/render/nftables-records";

export interface HeardFlow {
  readonly kind: FlowKind;
  readonly direction: "in" | "out";
  /** Whose endpoint; undefined: known by its own identity alone, which forged packets come with. */
  readonly service: string | undefined;
  /** Cilium's number of the other end, when it was last heard; of a forged packet of the endpoint itself. */
  readonly identity: number;
  /** The other end. */
  readonly address: string;
  readonly protocol: Traffic;
  readonly port: number;
}

export type HeldFlow = HeardFlow & Pick<ObservedFlow, "packets" | "lastSeen">;

export interface MemoryBounds {
  readonly seen: number;
  readonly denied: number;
  readonly ofSource: { readonly in: number; readonly out: number };
  /** Of refusals. */
  readonly deniedOfSource: number;
  readonly named: number;
}

const bounds: MemoryBounds = {
  seen: 8_192,
  denied: 2_048,
  ofSource: quotas,
  deniedOfSource: 128,
  named: 256,
};
const hourMs = 3600_000;
const expireMs = 1_000;
const keptMs = { seen: 7 * 24 * hourMs, audited: 7 * 24 * hourMs, denied: hourMs } as const;

interface Held {
  flow: HeardFlow;
  packets: number;
  lastSeen: Date;
}

/** What passes, and what is refused: neither takes the other's room. */
interface Part {
  readonly name: "seen" | "denied";
  readonly flows: Map<string, Held>;
  readonly ofSource: Map<string, number>;
  /** When something was last left out. */
  fullAt: Date | undefined;
}

const partOf = (name: Part["name"]): Part => ({
  name,
  flows: new Map(),
  ofSource: new Map(),
  fullAt: undefined,
});

export class EndpointMemory {
  readonly #bounds: MemoryBounds;
  #parts = { seen: partOf("seen"), denied: partOf("denied") };
  readonly #spent = new Map<string, { readonly quota: SpentQuota; at: Date }>();
  #expiredAt = 0;

  constructor(own: MemoryBounds = bounds) {
    this.#bounds = own;
  }

  forget(): void {
    this.#parts = { seen: partOf("seen"), denied: partOf("denied") };
    this.#spent.clear();
  }

  add(flow: HeardFlow, now: Date): void {
    const part = flow.kind === "denied" ? this.#parts.denied : this.#parts.seen;
    const key = keyOf(flow);
    const held = part.flows.get(key);
    if (held !== undefined) {
      // the other end may have got another identity
      held.flow = flow;
      held.packets += 1;
      held.lastSeen = now;
      return;
    }
    if (!this.#hasRoom(part, flow)) {
      // all of it is gone through: whoever sends thousands in a second must not have that done for each
      if (Math.abs(now.getTime() - this.#expiredAt) >= expireMs) this.#expire(now);
      if (!this.#hasRoom(part, flow)) {
        this.#leaveOut(part, flow, now);
        return;
      }
    }
    const source = sourceOf(flow);
    part.flows.set(key, { flow, packets: 1, lastSeen: now });
    part.ofSource.set(source, (part.ofSource.get(source) ?? 0) + 1);
  }

  flows(now: Date): HeldFlow[] {
    this.#expire(now);
    return [this.#parts.seen, this.#parts.denied].flatMap(({ flows }) =>
      [...flows.values()].map(({ flow, packets, lastSeen }) => ({ ...flow, packets, lastSeen })),
    );
  }

  /** Names like those of the kernel's sets. */
  fullSets(): string[] {
    return Object.values(this.#parts).flatMap(({ name, fullAt }) =>
      fullAt === undefined ? [] : [`${name}_endpoints`],
    );
  }

  spent(): SpentQuota[] {
    return [...this.#spent.values()].map(({ quota }) => quota);
  }

  #hasRoom(part: Part, flow: HeardFlow): boolean {
    return part.flows.size < this.#bounds[part.name] && !this.#isSpent(part, flow);
  }

  #isSpent({ name, ofSource }: Part, flow: HeardFlow): boolean {
    const most = name === "denied" ? this.#bounds.deniedOfSource : this.#bounds.ofSource[flow.direction];
    return (ofSource.get(sourceOf(flow)) ?? 0) >= most;
  }

  #leaveOut(part: Part, flow: HeardFlow, now: Date): void {
    const source = sourceOf(flow);
    const isNamed = this.#spent.has(source) || this.#spent.size < this.#bounds.named;
    if (part.name === "seen" && this.#isSpent(part, flow) && isNamed)
      this.#spent.set(source, { quota: quotaOf(flow), at: now });
    else part.fullAt = now;
  }

  #expire(now: Date): void {
    this.#expiredAt = now.getTime();
    const isOver = (at: Date, kind: FlowKind) => now.getTime() - at.getTime() >= keptMs[kind];
    for (const part of Object.values(this.#parts)) {
      for (const [key, { flow, lastSeen }] of part.flows) {
        if (!isOver(lastSeen, flow.kind)) continue;
        part.flows.delete(key);
        const left = (part.ofSource.get(sourceOf(flow)) ?? 0) - 1;
        if (left > 0) part.ofSource.set(sourceOf(flow), left);
        else part.ofSource.delete(sourceOf(flow));
      }
      if (part.fullAt !== undefined && isOver(part.fullAt, part.name)) part.fullAt = undefined;
    }
    for (const [source, { at }] of this.#spent) if (isOver(at, "seen")) this.#spent.delete(source);
  }
}

function keyOf(flow: HeardFlow): string {
  const { kind, direction, service, identity, address, protocol, port } = flow;
  return [kind, direction, service ?? identity, address, protocol, port].join(" ");
}

/** Who fills the memory. */
function sourceOf({ direction, service, identity, address }: HeardFlow): string {
  return direction === "in" ? `in ${address}` : `out ${service ?? identity}`;
}

function quotaOf({ direction, service, address }: HeardFlow): SpentQuota {
  const whose = direction === "in" ? { source: address } : { source: undefined, endpoint: service ?? "" };
  return { direction, uid: undefined, user: "", ...whose };
}
