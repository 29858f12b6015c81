// In: the flows the kernel holds now, look by look. Out: those that are new or were used since they were last told:
// refusals first, then the newest, at most so many. Remembers what was told; no clock, no I/O.
import type { ObservedFlow } from "@weft/shared/model/observation";

export interface Changes {
  readonly flows: readonly ObservedFlow[];
  readonly leftOut: number;
}

const ranks = { denied: 0, audited: 1, seen: 2 } as const;

function keyOf({ kind, direction, source, destination, protocol, port, uid }: ObservedFlow): string {
  return [kind, direction, source, destination, protocol, port, uid].join(" ");
}

export class FlowChanges {
  readonly #most: number;
  #told = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Everything is to be told again: nobody remembers. */
  forget(): void {
    this.#told.clear();
  }

  take(flows: readonly ObservedFlow[]): Changes {
    const held = new Map<string, number>();
    const changed: { readonly key: string; readonly flow: ObservedFlow }[] = [];
    for (const flow of flows) {
      const key = keyOf(flow);
      const told = this.#told.get(key);
      if (told === flow.packets) held.set(key, told);
      else changed.push({ key, flow });
    }
    changed.sort(
      (a, b) =>
        ranks[a.flow.kind] - ranks[b.flow.kind] ||
        b.flow.lastSeen.getTime() - a.flow.lastSeen.getTime() ||
        b.flow.packets - a.flow.packets,
    );
    const sent = changed.slice(0, this.#most);
    for (const { key, flow } of sent) held.set(key, flow.packets);
    // what the kernel has forgotten is forgotten here, too
    this.#told = held;
    return { flows: sent.map(({ flow }) => flow), leftOut: changed.length - sent.length };
  }
}
