// In: a fleet that changes, and with time alone (Online, Late, Lost). Out: snapshots of its status, at most four a
// second, one at a time: who reads slowly gets fewer, never a queue.
import type { Fleet } from "../fleet/fleet.ts";
import { stateOf } from "../fleet/node-view.ts";

const shortestGapMs = 250;
/** States change with time and heartbeats change nothing else: looked at this often. */
const lookMs = 1_000;
/** "last seen" should not look older than this. */
const refreshMs = 5_000;

function statesOf(fleet: Fleet, now: Date): string {
  return fleet
    .views()
    .map((view) => `${view.name} ${stateOf(view, now)}`)
    .join();
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish, { once: true });
  });
}

export interface FeedParts {
  readonly fleet: Fleet;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Resolves when the snapshot has left. */
  readonly send: () => Promise<void>;
}

export async function feedStatus({ fleet, now, signal, send }: FeedParts): Promise<void> {
  let changed = true;
  let wake: (() => void) | undefined;
  const stop = fleet.listen((_node, event) => {
    if (event.kind === "seen") return;
    changed = true;
    wake?.();
  });
  try {
    let sentStates = "";
    let sentAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const states = statesOf(fleet, now());
      if (changed || states !== sentStates || now().getTime() - sentAt >= refreshMs) {
        changed = false;
        sentStates = states;
        sentAt = now().getTime();
        await send();
        await wait(shortestGapMs, signal);
      } else {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const idle = new AbortController();
        const end = () => idle.abort();
        signal.addEventListener("abort", end, { once: true });
        await Promise.race([woken, wait(lookMs, idle.signal)]);
        idle.abort();
        signal.removeEventListener("abort", end);
      }
    }
  } finally {
    stop();
  }
}
