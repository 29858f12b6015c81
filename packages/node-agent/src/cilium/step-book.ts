// In: pieces of work, one by one. Out: a report of each. One that fails is told and thrown on.
import { messageOf } from "@weft/shared/errors/weft-error";
import type { StepReport } from "@weft/shared/model/report";
import type { Clock } from "../host/host.ts";

export class StepBook {
  readonly #clock: Clock;
  readonly #steps: StepReport[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get steps(): readonly StepReport[] {
    return this.#steps;
  }

  async do<T>(step: string, subject: string, work: () => Promise<T>): Promise<T> {
    return await this.#tell(step, subject, work, () => true);
  }

  /** Told only if there was something to do: an undefined says that there was not. */
  async doIfAny<T>(
    step: string,
    subject: string,
    work: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    return await this.#tell(step, subject, work, (value) => value !== undefined);
  }

  async #tell<T>(
    step: string,
    subject: string,
    work: () => Promise<T>,
    isDone: (value: T) => boolean,
  ): Promise<T> {
    const began = this.#clock.now().getTime();
    const record = (result: StepReport["result"], detail: string) =>
      this.#steps.push({ step, subject, result, detail, durationMs: this.#clock.now().getTime() - began });
    try {
      const value = await work();
      if (isDone(value)) record("done", "");
      return value;
    } catch (failure) {
      record("failed", messageOf(failure));
      throw failure;
    }
  }
}
