// In: what each node is given, and what it says. Out: which of its guard ports the coordinator reached right before a
// change was sent, and which it reaches now: by a connection of its own each time, never by one that is open.
import type { DesiredState, PortRange } from "@weft/shared/model/desired";
import type { Fleet } from "./fleet.ts";
import { isMember } from "./node-view.ts";

/** Whether a TCP connection to the port comes about. */
export type Dial = (address: string, port: number) => Promise<boolean>;

export interface ProbedPort {
  readonly port: number;
  readonly before: "open" | "closed" | "unknown";
  readonly open: boolean;
}

export interface GuardReachParts {
  readonly fleet: Fleet;
  readonly desired: (node: string) => DesiredState | undefined;
  readonly dial: Dial;
}

interface Memory {
  readonly open: Map<number, boolean>;
  looked: Promise<void>;
}

/** No port scan in the coordinator's name. */
const mostPorts = 32;

export class GuardReach {
  readonly #parts: GuardReachParts;
  readonly #memories = new Map<string, Memory>();

  constructor(parts: GuardReachParts) {
    this.#parts = parts;
    parts.fleet.listen((node, event) => {
      const { kind } = event;
      // A new state is noted before it is sent: the connections begin before the node hears of it.
      if (kind === "wanted" ? event.underWay !== true : kind === "report" && !this.#memories.has(node))
        this.#look(node);
      else if (kind === "unnamed" || kind === "enrolment") this.#memories.delete(node);
    });
  }

  /** Asked by the node itself while its new rules wait to be confirmed. */
  async probe(node: string, ranges: readonly PortRange[]): Promise<ProbedPort[]> {
    const { desired, dial } = this.#parts;
    const address = desired(node)?.address;
    if (address === undefined) return [];
    const memory = this.#memories.get(node);
    await memory?.looked;
    return Promise.all(
      portsOf(ranges).map(async (port) => {
        const was = memory?.open.get(port);
        const before = was === undefined ? "unknown" : was ? "open" : "closed";
        return { port, before, open: await dial(address, port) };
      }),
    );
  }

  /** Not while the node works on something: what is reached then may be a candidate's doing. */
  #look(node: string): void {
    const { fleet, desired, dial } = this.#parts;
    const view = fleet.view(node);
    const state = desired(node);
    const isAtRest = view.report !== undefined && view.report.phase !== "applying";
    if (state === undefined || !view.connected || !isMember(view) || !isAtRest) return;
    const isSettled = view.report?.phase === "enforced";
    const memory = this.#memories.get(node) ?? { open: new Map(), looked: Promise.resolve() };
    this.#memories.set(node, memory);
    // Those of the policy before are asked for, too: they are in force still.
    const ports = new Set([...portsOf(state.policy.guard.ports), ...memory.open.keys()]);
    const dials = [...ports].map(async (port) => {
      const isOpen = await dial(state.address, port);
      // While a change is undone here and stands elsewhere, it may be the other end that refuses: that is no "before".
      if (isOpen || isSettled) memory.open.set(port, isOpen);
    });
    memory.looked = Promise.all(dials).then(() => {});
  }
}

function portsOf(ranges: readonly PortRange[]): number[] {
  const ports = new Set<number>();
  for (const { protocol, from, to } of ranges)
    for (let port = from; protocol === "tcp" && port <= to && ports.size < mostPorts; port++) ports.add(port);
  return [...ports];
}
