// What doing a step means. In: a step's arguments. Out: its inverse. The table has one executor for every kind.
import type { StepArgs, StepKind } from "@weft/shared/model/step";

/** Undoes what was done. Must work when called long after, and when half was done. */
export type Undo = () => Promise<void>;

export interface Executor<K extends StepKind> {
  /** Does it, or throws with nothing changed. Resolves to the inverse. The signal aborts between safe points only. */
  apply(args: StepArgs[K], signal: AbortSignal): Promise<Undo>;
  /** Throws when the step is not in force; asks the kernel, systemd or the resolver, never our own memory. */
  verify(args: StepArgs[K], signal: AbortSignal): Promise<void>;
}

export type ExecutorTable = { readonly [K in StepKind]: Executor<K> };
