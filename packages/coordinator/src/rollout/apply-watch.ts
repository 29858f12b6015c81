// In: the nodes an apply waits for. Out: word of each as its kernel carries the newest state, or as it fails; ends when
// all are done, when those left have failed, or when the time is up.
import type { Fleet } from "../fleet/fleet.ts";
import { hasFailed, isEnforced, type NodeView } from "../fleet/node-view.ts";

export interface NodeWord {
  readonly node: string;
  /** "reverted": it was tried, was not confirmed, and has undone itself. */
  readonly phase: "enforced" | "failed" | "reverted";
  readonly afterMs: number;
  readonly detail: string;
}

export interface ApplyResult {
  readonly complete: boolean;
  readonly missing: readonly string[];
}

export interface WatchOrder {
  readonly fleet: Fleet;
  readonly nodes: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly say: (word: NodeWord) => void;
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
  const { fleet, nodes, timeoutMs, signal, now, say } = order;
  const start = now().getTime();
  const waiting = new Set(nodes);
  const failed = new Set<string>();

  const look = (node: string): void => {
    const view = fleet.view(node);
    const afterMs = Math.max(0, now().getTime() - start);
    if (isEnforced(view)) {
      waiting.delete(node);
      failed.delete(node);
      say({ node, phase: "enforced", afterMs, detail: view.report?.witness ?? "" });
    } else if (hasFailed(view)) {
      if (!failed.has(node)) say({ node, afterMs, ...refusalOf(view) });
      failed.add(node);
    } else failed.delete(node);
  };
  const isOver = () => waiting.size === failed.size;

  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      stop();
      signal.removeEventListener("abort", finish);
      resolve({ complete: waiting.size === 0, missing: nodes.filter((node) => waiting.has(node)) });
    };
    const stop = fleet.listen((node) => {
      if (!waiting.has(node)) return;
      look(node);
      if (isOver()) finish();
    });
    const timer = setTimeout(finish, timeoutMs);
    signal.addEventListener("abort", finish, { once: true });
    for (const node of nodes) look(node);
    if (isOver() || signal.aborted) finish();
  });
}
