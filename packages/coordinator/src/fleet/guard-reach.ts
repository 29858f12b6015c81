// In: a node that asks, and ports. Out: which of them the coordinator reaches now, by a connection of its own each time,
// never by one that is open. Nothing is remembered: what was reached before a change is the node's to know, because
// only the node knows which rules judge at that moment.
import type { PortRange } from "@weft/shared/model/desired";

/** Whether a TCP connection to the port comes about. */
export type Dial = (address: string, port: number) => Promise<boolean>;

export interface ProbedPort {
  readonly port: number;
  readonly open: boolean;
}

export interface GuardReachParts {
  /** undefined: no such node. */
  readonly addressOf: (node: string) => string | undefined;
  readonly dial: Dial;
}

/** No port scan in the coordinator's name. */
const mostPorts = 32;

export class GuardReach {
  readonly #parts: GuardReachParts;

  constructor(parts: GuardReachParts) {
    this.#parts = parts;
  }

  async probe(node: string, ranges: readonly PortRange[]): Promise<ProbedPort[]> {
    const { addressOf, dial } = this.#parts;
    const address = addressOf(node);
    if (address === undefined) return [];
    return Promise.all(portsOf(ranges).map(async (port) => ({ port, open: await dial(address, port) })));
  }
}

function portsOf(ranges: readonly PortRange[]): number[] {
  const ports = new Set<number>();
  for (const { protocol, from, to } of ranges)
    for (let port = from; protocol === "tcp" && port <= to && ports.size < mostPorts; port++) ports.add(port);
  return [...ports];
}
