// In: steps in their order. Out: a report of each, after all were done and verified, or after all that were done have
// been undone in reverse order.
//
// INVARIANTS
// - One run at a time of a section: the agent's loop awaits it before it starts the next.
// - A step that throws has changed nothing; only completed steps are undone.
// - An aborted run is undone too, unless the abort says a newer state supersedes it: that one plans from what it finds.
// - An undo that fails does not stop the others; its trouble is in the report.
import { isAbort } from "@weft/shared/errors/system";
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";
import type { StepReport } from "@weft/shared/model/report";
import { type Step, subjectOf } from "@weft/shared/model/step";
import type { Clock } from "../host/host.ts";
import type { ExecutorTable, Undo } from "./executor.ts";

export type RunEnd = "done" | "reverted" | "superseded";

export interface RunResult {
  readonly end: RunEnd;
  readonly steps: readonly StepReport[];
  /** Why it was not done. */
  readonly failure: unknown;
}

/** The reason to abort a run with when a newer desired state is there. */
export const superseded = Symbol("superseded by a newer desired state");

/** The table's type says that kind and arguments belong together; TypeScript cannot carry that through a lookup. */
function bound(table: ExecutorTable, step: Step) {
  const executor = table[step.kind] as {
    apply(args: Step["args"], signal: AbortSignal): Promise<Undo>;
    verify(args: Step["args"], signal: AbortSignal): Promise<void>;
  };
  return {
    apply: (signal: AbortSignal) => executor.apply(step.args, signal),
    verify: (signal: AbortSignal) => executor.verify(step.args, signal),
  };
}

function sentence(failure: unknown): string {
  if (isAbort(failure)) return "stopped";
  const why = isWeftError(failure) && failure.why !== undefined ? `: ${failure.why}` : "";
  return `${messageOf(failure)}${why}`;
}

export async function runSteps(
  steps: readonly Step[],
  table: ExecutorTable,
  clock: Clock,
  signal: AbortSignal,
): Promise<RunResult> {
  const done: { readonly index: number; readonly undo: Undo }[] = [];
  const reports: StepReport[] = [];
  const record = (step: Step, result: StepReport["result"], detail: string, began: Date): StepReport => ({
    step: step.kind,
    subject: subjectOf(step),
    result,
    detail,
    durationMs: clock.now().getTime() - began.getTime(),
  });
  for (const [index, step] of steps.entries()) {
    const began = clock.now();
    try {
      signal.throwIfAborted();
      const executor = bound(table, step);
      const undo = await executor.apply(signal);
      done.push({ index, undo });
      await executor.verify(signal);
      reports.push(record(step, "done", "", began));
    } catch (failure) {
      const isSuperseded = signal.aborted && signal.reason === superseded;
      reports.push(
        record(
          step,
          isSuperseded ? "skipped" : "failed",
          isSuperseded ? "superseded" : sentence(failure),
          began,
        ),
      );
      for (const later of steps.slice(index + 1)) reports.push(record(later, "skipped", "", clock.now()));
      if (isSuperseded) return { end: "superseded", steps: reports, failure: undefined };
      for (const { index: which, undo } of done.reverse()) {
        const before = reports[which];
        if (before === undefined) continue;
        try {
          await undo();
          reports[which] = { ...before, result: before.result === "done" ? "reverted" : before.result };
        } catch (trouble) {
          reports[which] = {
            ...before,
            result: "failed",
            detail: `could not be undone: ${sentence(trouble)}`,
          };
        }
      }
      return { end: "reverted", steps: reports, failure };
    }
  }
  return { end: "done", steps: reports, failure: undefined };
}
