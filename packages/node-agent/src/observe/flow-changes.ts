// In: the flows the kernel holds now, look by look. Out: those that are new or were used since they were last told, at
// most so many: refusals first, but never more than half of the room while flows wait that nobody has been told of.
// Remembers what was told; no clock, no I/O.
import { flowKey, type ObservedFlow } from "@weft/shared/model/observation";

export interface Changes {
  readonly flows: readonly ObservedFlow[];
  /** Never told so far. What was told before and was used again is known. */
  readonly leftOut: number;
  /** Nothing waits for the next look. */
  readonly isWhole: boolean;
}

const ranks = { denied: 0, audited: 1, seen: 2 } as const;

interface Changed {
  readonly key: string;
  readonly flow: ObservedFlow;
  /** Its count when it was told. */
  readonly told: number | undefined;
}

export class FlowChanges {
  readonly #most: number;
  #told = new Map<string, number>();
  /** Of flows at endpoints: who the other end was said to be. */
  #peers = new Map<string, string>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Everything is to be told again: nobody remembers. */
  forget(): void {
    this.#told.clear();
    this.#peers.clear();
  }

  take(flows: readonly ObservedFlow[]): Changes {
    const held = new Map<string, number>();
    const changed: Changed[] = [];
    for (const flow of flows) {
      const key = flowKey(flow);
      const told = this.#told.get(key);
      if (told === flow.packets && !this.#isNewPeer(key, flow)) held.set(key, told);
      else changed.push({ key, flow, told });
    }
    changed.sort(
      (a, b) =>
        ranks[a.flow.kind] - ranks[b.flow.kind] ||
        Number(a.told !== undefined) - Number(b.told !== undefined) ||
        b.flow.lastSeen.getTime() - a.flow.lastSeen.getTime() ||
        b.flow.packets - a.flow.packets,
    );
    const isNew = ({ flow, told }: Changed) => flow.kind === "seen" && told === undefined;
    const kept = Math.min(changed.filter(isNew).length, Math.ceil(this.#most / 2));
    let room = this.#most - kept;
    let reserved = kept;
    const sent: Changed[] = [];
    const left: Changed[] = [];
    for (const each of changed) {
      const fits = isNew(each) && reserved > 0 ? reserved-- > 0 : room-- > 0;
      (fits ? sent : left).push(each);
    }
    for (const { key, flow } of sent) {
      held.set(key, flow.packets);
      if (flow.endpoint !== undefined) this.#peers.set(key, flow.endpoint.peer);
    }
    // known there with an older count: told when there is room
    for (const { key, told } of left) if (told !== undefined) held.set(key, told);
    // what the kernel has forgotten is forgotten here, too
    this.#told = held;
    for (const key of this.#peers.keys()) if (!held.has(key)) this.#peers.delete(key);
    const leftOut = left.filter(({ told }) => told === undefined).length;
    return { flows: sent.map(({ flow }) => flow), leftOut, isWhole: left.length === 0 };
  }

  /** Learnt only now; what was known, and cannot be asked now, stays as it was told. */
  #isNewPeer(key: string, { endpoint }: ObservedFlow): boolean {
    return (endpoint?.peer ?? "") !== "" && endpoint?.peer !== this.#peers.get(key);
  }
}
