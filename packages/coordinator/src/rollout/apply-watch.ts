// In: the nodes an apply waits for, and its rollout. Out: word of each wave, and of each node as its kernel carries the
// newest state or as it fails; ends when all are done, when those left have failed, or when the time is up.
import { floorSentence } from "@weft/shared/model/floor";
import type { Fleet } from "../fleet/fleet.ts";
import { hasFailed, isEnforced, type NodeView } from "../fleet/node-view.ts";
import { type EnforcedTimes, enforcedTimes } from "./enforced-times.ts";
import type { RolloutEvent } from "./rollout-desk.ts";

export interface NodeWord {
  readonly node: string;
  /** "reverted": it was tried, was not confirmed, and has undone itself. "taken-back": it has what it had before. */
  readonly phase: "enforced" | "failed" | "reverted" | "taken-back";
  /** Since the apply, and since the node was given it: by the coordinator's clock, until the word was heard. */
  readonly afterMs: number;
  readonly sinceGivenMs: number;
  readonly detail: string;
  /** By the node's clock. */
  readonly enforcedAt: Date | undefined;
}

export interface ApplyResult {
  readonly complete: boolean;
  readonly missing: readonly string[];
  readonly outcome: "in-force" | "rolling-out" | "stopped" | "superseded";
  readonly times: EnforcedTimes | undefined;
  /** Of the missing: connected when it was given to them, silent since. */
  readonly frozen: readonly string[];
  /** Of the missing: not connected. */
  readonly absent: readonly string[];
}

export interface WatchOrder {
  readonly fleet: Fleet;
  readonly nodes: readonly string[];
  /** Where the change goes out in waves. Returns the way to stop listening. */
  readonly rollout?: ((listener: (event: RolloutEvent) => void) => () => void) | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly say: (word: NodeWord) => void;
  readonly tell?: (event: RolloutEvent) => void;
}

/** Two heartbeats: one that says nothing for so long does not only take its time. */
const silentMs = 10_000;

/** Who testifies, and what of it the node itself would not have. */
function witnessOf({ report }: NodeView): string {
  return [report?.witness ?? "", floorSentence(report?.floor)].filter((text) => text !== "").join("; ");
}

export function refusalOf(view: NodeView): Pick<NodeWord, "phase" | "detail"> {
  const undone = view.report?.conditions.find(({ code }) => code === "POLICY_REVERTED");
  return undone === undefined
    ? { phase: "failed", detail: failureOf(view) }
    : { phase: "reverted", detail: undone.detail };
}

function failureOf({ report }: NodeView): string {
  const failed = report?.steps.filter((step) => step.result === "failed") ?? [];
  const conditions = report?.conditions.map((condition) => `${condition.code}: ${condition.detail}`) ?? [];
  const steps = failed.map((step) => `${step.step} ${step.subject}: ${step.detail}`);
  return [...steps, ...conditions].join("; ") || "the node gave no reason";
}

export function watchApply(order: WatchOrder): Promise<ApplyResult> {
  const { fleet, timeoutMs, signal, now, say } = order;
  const start = now().getTime();
  const given = new Map<string, { readonly at: number; readonly wasThere: boolean }>();
  const waiting = new Set<string>();
  const failed = new Set<string>();
  const took = new Map<string, number>();
  let outcome: ApplyResult["outcome"] = order.rollout === undefined ? "in-force" : "rolling-out";

  const look = (node: string): void => {
    const view = fleet.view(node);
    const at = now().getTime();
    const since = { afterMs: Math.max(0, at - start), sinceGivenMs: at - (given.get(node)?.at ?? at) };
    const { enforcedAt } = view.report ?? {};
    if (isEnforced(view)) {
      waiting.delete(node);
      failed.delete(node);
      const phase = outcome === "stopped" ? "taken-back" : "enforced";
      if (phase === "enforced") took.set(node, since.sinceGivenMs);
      say({ node, phase, ...since, detail: witnessOf(view), enforcedAt });
    } else if (hasFailed(view)) {
      if (!failed.has(node)) say({ node, ...since, ...refusalOf(view), enforcedAt });
      failed.add(node);
    } else failed.delete(node);
  };
  const take = (nodes: readonly string[]): void => {
    for (const node of nodes) {
      given.set(node, { at: now().getTime(), wasThere: fleet.view(node).connected });
      waiting.add(node);
    }
    for (const node of nodes) look(node);
  };
  const follow = (event: RolloutEvent): void => {
    // What brought the next wave on is told before it.
    if (event.kind === "wave" || event.kind === "done") for (const node of [...waiting]) look(node);
    order.tell?.(event);
    switch (event.kind) {
      case "wave":
        take(event.nodes);
        break;
      case "stopped":
        outcome = "stopped";
        waiting.clear();
        failed.clear();
        take((event.takenBack?.changed ?? []).map(({ node }) => node));
        break;
      case "superseded":
        outcome = "superseded";
        waiting.clear();
        break;
      case "done":
        outcome = "in-force";
    }
  };
  // A rollout waits for nobody who is not there, and so does whoever watches it.
  const isExcused = (node: string) =>
    failed.has(node) || (order.rollout !== undefined && !fleet.view(node).connected);
  const isOver = () => outcome !== "rolling-out" && [...waiting].every(isExcused);

  const result = (): ApplyResult => {
    const missing = [...given.keys()].filter((node) => waiting.has(node));
    const silent = missing.filter((node) => {
      const at = given.get(node)?.at ?? start;
      return !failed.has(node) && (fleet.view(node).lastSeen?.getTime() ?? 0) <= at;
    });
    const isLong = (node: string) => now().getTime() - (given.get(node)?.at ?? start) >= silentMs;
    return {
      complete: missing.length === 0 && outcome === "in-force",
      missing,
      outcome,
      times: enforcedTimes(took),
      frozen: silent.filter((node) => given.get(node)?.wasThere === true && isLong(node)),
      absent: silent.filter((node) => given.get(node)?.wasThere !== true),
    };
  };

  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      stop();
      unfollow?.();
      signal.removeEventListener("abort", finish);
      resolve(result());
    };
    const stop = fleet.listen((node) => {
      if (!waiting.has(node)) return;
      look(node);
      if (isOver()) finish();
    });
    const unfollow = order.rollout?.((event) => {
      follow(event);
      if (isOver()) finish();
    });
    const timer = setTimeout(finish, timeoutMs);
    signal.addEventListener("abort", finish, { once: true });
    take(order.nodes);
    if (isOver() || signal.aborted) finish();
  });
}
