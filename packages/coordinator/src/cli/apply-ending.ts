// In: how an apply that was waited for ended. Out: what is said of it, and the exit code.
// Exit 0: in force everywhere; 1: undone or taken back everywhere; 4: in force on some; 5: not known in time.
import type { ApplyDone } from "@weft/shared/gen/weft/v1/control";
import { durationText } from "../view/duration-text.ts";
import { printable } from "../view/paint.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** What was told of the nodes that were waited for. */
export interface Tally {
  readonly enforced: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
  readonly reverted: ReadonlySet<string>;
  /** It went out in waves. */
  readonly inWaves: boolean;
  /** Why the rollout was stopped, and the revision that took it back; 0: none. */
  readonly stopped: { readonly why: string; readonly takenBackAs: number } | undefined;
}

export function timesText({ times }: ApplyDone): string | undefined {
  if (times === undefined) return undefined;
  const { p50Ms, p99Ms, maxMs, slow } = times;
  const slowText = slow.length === 0 ? "" : `; slow: ${slow.join(", ")}`;
  return (
    `from given to the kernel's word heard, by the coordinator's clock: ` +
    `p50 ${durationText(p50Ms)}, p99 ${durationText(p99Ms)}, max ${durationText(maxMs)}${slowText}`
  );
}

export function tellEnding(
  done: ApplyDone,
  tally: Tally,
  revision: number,
  timeoutSeconds: number,
  terminal: Terminal,
): ExitCode {
  const times = timesText(done);
  if (times !== undefined) terminal.out(times);
  if (done.complete) {
    terminal.out(`revision ${revision} is in force everywhere`);
    return exitCodes.done;
  }
  if (tally.stopped !== undefined) return tellStopped(done, tally.stopped, revision, terminal);
  if (done.outcome === "superseded") {
    terminal.err(`revision ${revision} gave way to a newer one before it was everywhere (WEFT-E102)`);
    terminal.err("  Do: run `weft history` and `weft status`");
    return exitCodes.partly;
  }
  return tellMissing(done, tally, revision, timeoutSeconds, terminal);
}

function tellStopped(
  { missing }: ApplyDone,
  { why, takenBackAs }: NonNullable<Tally["stopped"]>,
  revision: number,
  terminal: Terminal,
): ExitCode {
  terminal.err(`revision ${revision} was stopped: ${printable(why)} (WEFT-E105)`);
  if (takenBackAs === 0) terminal.err("nothing was taken back: the nodes that were given it keep it");
  else if (missing.length === 0)
    terminal.err(`what was in force before is in force again, as revision ${takenBackAs}`);
  else
    terminal.err(
      `what was in force before is revision ${takenBackAs}, not heard of yet: ${missing.join(", ")}`,
    );
  terminal.err("  Do: correct the mesh file and apply it; the same file again tries once more");
  return takenBackAs === 0 || missing.length > 0 ? exitCodes.partly : exitCodes.failed;
}

function tellMissing(
  { missing, outcome, frozen, absent }: ApplyDone,
  { enforced, failed, reverted, inWaves }: Tally,
  revision: number,
  timeoutSeconds: number,
  terminal: Terminal,
): ExitCode {
  const late = missing.filter(
    (name) =>
      ![failed, reverted].some((told) => told.has(name)) &&
      ![frozen, absent].some((named) => named.includes(name)),
  );
  const isRolling = outcome === "rolling-out";
  if (failed.size > 0) terminal.err(`failed: ${[...failed].join(", ")} (WEFT-E102)`);
  if (isRolling)
    terminal.err(`revision ${revision} is still on its way after ${timeoutSeconds} s (WEFT-E102)`);
  if (late.length > 0)
    terminal.err(
      `revision ${revision} is not in force after ${timeoutSeconds} s on: ${late.join(", ")} (WEFT-E102)`,
    );
  if (frozen.length > 0)
    terminal.err(`frozen: ${frozen.join(", ")}: connected when it was given, silent since (WEFT-E102)`);
  if (absent.length > 0)
    terminal.err(`absent: ${absent.join(", ")}: not connected; given it on return (WEFT-E102)`);
  if (reverted.size > 0)
    terminal.err(
      `REVERTED: ${[...reverted].join(", ")}; what was in force there before is in force again (WEFT-E403)`,
    );
  const goesOn = isRolling || late.length + failed.size + frozen.length + absent.length > 0;
  terminal.err(
    goesOn
      ? "  Do: run `weft status`; the nodes named as failed or late go on trying"
      : "  Do: correct the mesh file and apply it; the same file again tries once more",
  );
  if (isRolling || late.length + frozen.length > 0 || (absent.length > 0 && !inWaves))
    return exitCodes.timedOut;
  return reverted.size > 0 && enforced.size === 0 ? exitCodes.failed : exitCodes.partly;
}
