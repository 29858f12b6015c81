// In: that rules came into force or went out of it, and the state that holds. Out: the flows they forbid ended, or left
// where the state says so; a report of it, and a condition while some could not be ended. What is left is tried again,
// ever more seldom. Never while a policy is armed: what is due then waits.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { CutOccasion, CutReport } from "@weft/shared/model/report";
import type { Finding } from "../conditions.ts";
import type { Clock } from "../host/host.ts";
import type { Log } from "../log.ts";
import type { CutResult, FlowCutter } from "../policy/flow-cutter.ts";

const firstRetryMs = 5_000;
const longestRetryMs = 300_000;

export interface CutParts {
  readonly cutter: FlowCutter;
  readonly clock: Clock;
  readonly log: Log;
}

export class CutSection {
  readonly #parts: CutParts;
  #due: CutOccasion | undefined;
  #retry: { readonly occasion: CutOccasion; readonly afterMs: number; readonly at: number } | undefined;
  #report: CutReport | undefined;

  constructor(parts: CutParts) {
    this.#parts = parts;
  }

  /** Of the last time that something was looked at. */
  get report(): CutReport | undefined {
    return this.#report;
  }

  /** @param occasion of now, if there is one. undefined: nothing was looked at, and what stood stands. */
  async run(
    occasion: CutOccasion | undefined,
    desired: Pick<DesiredState, "generation" | "keepEstablished">,
    signal?: AbortSignal,
  ): Promise<readonly Finding[] | undefined> {
    this.#due = occasion ?? this.#due;
    const now = this.#parts.clock.now().getTime();
    const retry = this.#retry !== undefined && this.#retry.at <= now ? this.#retry : undefined;
    const why = this.#due ?? retry?.occasion;
    if (why === undefined) return undefined;
    const isRetry = this.#due === undefined;
    let result: CutResult | undefined;
    try {
      result = await this.#parts.cutter.cut(desired.keepEstablished === true, signal);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      this.#tryLater(why, isRetry);
      const reason = failure.why === undefined ? failure.message : `${failure.message}: ${failure.why}`;
      return [{ code: "CUT_PARTIAL", detail: `established flows could not be looked at: ${reason}` }];
    }
    // the armed one is confirmed or undone, and then it is looked at
    if (result === undefined) return undefined;
    this.#note(result, { occasion: why, generation: desired.generation, isRetry });
    if (result.failed > 0 || result.again === true) this.#tryLater(why, isRetry);
    else this.#retry = undefined;
    this.#due = undefined;
    return findingsOf(result);
  }

  #tryLater(occasion: CutOccasion, isRetry: boolean): void {
    this.#due = undefined;
    const before = isRetry ? (this.#retry?.afterMs ?? 0) * 2 : firstRetryMs;
    const afterMs = Math.min(before, longestRetryMs);
    this.#retry = { occasion, afterMs, at: this.#parts.clock.now().getTime() + afterMs };
  }

  #note(
    { ended, leftUnknown, failed, kept }: CutResult,
    of: { readonly occasion: CutOccasion; readonly generation: number; readonly isRetry: boolean },
  ): void {
    const { occasion, generation, isRetry } = of;
    const before = isRetry ? this.#report : undefined;
    // a try that changed nothing is no news
    if (before !== undefined && ended === 0 && before.failed === failed) return;
    const at = this.#parts.clock.now();
    const sum = ended + (before?.ended ?? 0);
    this.#report = { occasion, generation, ended: sum, leftUnknown, failed, kept, at };
    if (ended + failed + kept + leftUnknown > 0)
      this.#parts.log.info(
        `cut (${occasion}): ended ${ended}, failed ${failed}, kept ${kept}, left as unknown ${leftUnknown}`,
      );
  }
}

function findingsOf({ ended, failed, trouble }: CutResult): Finding[] {
  if (trouble.length === 0) return [];
  const why = trouble.join("; ");
  const detail =
    failed === 0 ? why : `${failed} of ${failed + ended} flows that are forbidden now live on: ${why}`;
  return [{ code: "CUT_PARTIAL", detail }];
}
