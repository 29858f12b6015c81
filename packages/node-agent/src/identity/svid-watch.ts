// In: whether this machine needs SVIDs of Weft's own parts. Out: the newest that the Workload API gave the node agent, and what
// is wrong with it. A machine that needs none asks for none.
import { isAbort } from "@weft/shared/errors/system";
import { isWeftError, type WeftError } from "@weft/shared/errors/weft-error";
import { watchX509 } from "@weft/shared/spiffe/workload-api";
import type { X509Context } from "@weft/shared/spiffe/x509-context";
import type { Clock } from "../host/host.ts";

export interface SvidWatchParts {
  readonly clock: Clock;
  /** Of the Workload API's socket. */
  readonly address: string;
  /** Told after every change. */
  readonly onChange: () => void;
}

/** A watch ends by itself where the request was refused as such: rare, and no reason to give up. */
const watchAgainMs = 30_000;

export class SvidWatch {
  readonly #parts: SvidWatchParts;
  #wanted = false;
  #wake: (() => void) | undefined;
  #watching: AbortController | undefined;
  #context: X509Context | undefined;
  #trouble: string | undefined;

  constructor(parts: SvidWatchParts) {
    this.#parts = parts;
  }

  /** undefined: it has not answered yet. */
  get context(): X509Context | undefined {
    return this.#context;
  }

  /** What was wrong last, until it answers again. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  want(wanted: boolean): void {
    this.#wanted = wanted;
    if (wanted) this.#wake?.();
    else this.#watching?.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#untilWanted(signal);
      if (!signal.aborted) await this.#watch(signal);
    }
  }

  async #untilWanted(signal: AbortSignal): Promise<void> {
    if (this.#wanted || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#wake = undefined;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { address, clock } = this.#parts;
    this.#watching = new AbortController();
    const either = AbortSignal.any([signal, this.#watching.signal]);
    const options = { signal: either, onTrouble: (failure: WeftError) => this.#note(failure) };
    try {
      await watchX509(address, (context) => this.#take(context), options);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      await clock.sleep(watchAgainMs, either).catch((reason: unknown) => {
        if (!isAbort(reason)) throw reason;
      });
    }
    if (!this.#wanted) {
      this.#context = undefined;
      this.#trouble = undefined;
    }
    this.#watching = undefined;
  }

  #take(context: X509Context): void {
    this.#context = context;
    this.#trouble = undefined;
    this.#parts.onChange();
  }

  #note({ message, why }: WeftError): void {
    const trouble = why === undefined ? message : `${message}: ${why}`;
    if (this.#trouble === trouble) return;
    this.#trouble = trouble;
    this.#parts.onChange();
  }
}
