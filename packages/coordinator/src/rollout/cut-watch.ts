// In: the nodes an apply waits for. Out: word of each that ended, kept or could not end established flows under the
// state it was given. That comes after the word that it is enforced: whoever waits is held up for it a moment, no more.
import type { CutReport } from "@weft/shared/model/report";
import type { Fleet } from "../fleet/fleet.ts";
import { isEnforced } from "../fleet/node-view.ts";

/** A node looks for such flows right after it has told that the rules are in force. */
const lingerMs = 3_000;

export interface CutWatch {
  /** Resolves when every node that enforces its state has looked for flows, or soon after. */
  done(signal: AbortSignal): Promise<void>;
}

export function watchCuts(
  fleet: Fleet,
  nodes: readonly string[],
  say: (node: string, cut: CutReport) => void,
): CutWatch {
  const waiting = new Set(nodes);
  let wake = () => {};
  const look = (node: string): void => {
    const view = fleet.view(node);
    const cut = view.report?.cut;
    if (!waiting.has(node) || !isEnforced(view) || cut === undefined) return;
    if (cut.generation < (view.wanted?.generation ?? 0)) return;
    waiting.delete(node);
    say(node, cut);
    wake();
  };
  const stop = fleet.listen(look);
  const isOver = () => [...waiting].every((node) => !isEnforced(fleet.view(node)));
  return {
    done: (signal) =>
      new Promise((resolve) => {
        const finish = () => {
          clearTimeout(timer);
          stop();
          resolve();
        };
        const timer = setTimeout(finish, lingerMs);
        wake = () => {
          if (isOver()) finish();
        };
        signal.addEventListener("abort", finish, { once: true });
        if (isOver() || signal.aborted) finish();
      }),
  };
}
