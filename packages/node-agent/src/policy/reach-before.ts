// In: the rules that judge now and those to come. Out: which of their guard ports are reached, by somebody else's word,
// asked before anything is tried: those must be reached again afterwards.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { PortRange } from "@weft/shared/model/desired";
import type { ScriptHeader } from "@weft/shared/render/nftables-script-header";
import { sentenceOf } from "./attempt-failure.ts";
import type { ConfirmedPolicy } from "./confirmed.ts";

/** By fresh connections, both ways. */
export interface ReachProof {
  /** Somebody is there who could be asked. */
  readonly ready: boolean;
  /** The TCP ports among them that are reached now. */
  reached(guardPorts: readonly PortRange[], signal: AbortSignal): Promise<readonly number[]>;
  /** Resolves when it is proved that all of them are reached; throws a WeftError that says which is not. */
  prove(ports: readonly number[], signal: AbortSignal): Promise<void>;
}

/** Every port may take its time to be found closed. */
const reachedMs = 10_000;

export class ReachBefore {
  readonly #proof: ReachProof;
  #asked: { readonly digest: string; readonly reached: readonly number[] } | undefined;

  constructor(proof: ReachProof) {
    this.#proof = proof;
  }

  isAsked(digest: string): boolean {
    return this.#asked?.digest === digest;
  }

  /** Throws WEFT-E404. */
  async ask(before: ConfirmedPolicy | undefined, header: ScriptHeader, signal: AbortSignal): Promise<void> {
    this.#asked = undefined;
    this.#asked = { digest: header.digest, reached: await this.of(before, header, signal) };
  }

  unask(): void {
    this.#asked = undefined;
  }

  /** By what was asked for the same rules, or asked now: throws WEFT-E404. */
  async of(
    before: ConfirmedPolicy | undefined,
    { digest, guardPorts }: ScriptHeader,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    if (this.#asked?.digest === digest) return this.#asked.reached;
    const ports = distinctPorts([...(before?.guardPorts ?? []), ...guardPorts]);
    try {
      return await this.#proof.reached(ports, AbortSignal.any([signal, AbortSignal.timeout(reachedMs)]));
    } catch (failure) {
      signal.throwIfAborted();
      throw new WeftError("WEFT-E404", "the new rules wait: nobody says which guard ports are reached now", {
        why: sentenceOf(failure, reachedMs),
      });
    }
  }
}

function distinctPorts(ports: readonly PortRange[]): PortRange[] {
  return [...new Map(ports.map((port) => [`${port.protocol} ${port.from}-${port.to}`, port])).values()];
}
