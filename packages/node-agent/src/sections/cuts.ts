// In: that rules came into force, of the machine or of its endpoints. Out: the flows they forbid ended, one report of both, and
// conditions of each.
import type { DesiredState } from "@weft/shared/model/desired";
import type { CutOccasion, CutReport } from "@weft/shared/model/report";
import type { Finding } from "../conditions.ts";
import type { CutSection } from "./cut-section.ts";

type Wanted = Pick<DesiredState, "generation" | "digest" | "cilium" | "keepEstablished">;

export class Cuts {
  readonly #machine: CutSection;
  readonly #endpoints: CutSection;
  /** What endpoints enforced when their flows were last looked at. */
  #lookedAt: string | undefined;

  constructor(machine: CutSection, endpoints: CutSection) {
    this.#machine = machine;
    this.#endpoints = endpoints;
  }

  /** undefined: nothing was looked at. */
  ofMachine(occasion: CutOccasion | undefined, desired: Wanted): Promise<readonly Finding[] | undefined> {
    return this.#machine.run(occasion, desired);
  }

  /**
   * Once for everything that endpoints came to enforce, and again where some lived on.
   * @param realised digest of what they enforce. undefined: nothing was looked at
   */
  async ofEndpoints(
    realised: string | undefined,
    desired: Wanted,
    signal?: AbortSignal,
  ): Promise<readonly Finding[] | undefined> {
    // nothing is said any more of endpoints that are gone
    if (desired.cilium === undefined) return [];
    if (realised !== desired.digest) return undefined;
    const occasion = this.#lookedAt === undefined ? "started" : "confirmed";
    const isNew = this.#lookedAt !== realised;
    this.#lookedAt = realised;
    return await this.#endpoints.run(isNew ? occasion : undefined, desired, signal);
  }

  /** Of both when both have looked; until then that of the state before. */
  report(desired: Pick<DesiredState, "cilium"> | undefined): CutReport | undefined {
    const [machine, endpoints] = [this.#machine.report, this.#endpoints.report];
    if (desired?.cilium === undefined) return machine;
    if (machine === undefined || endpoints === undefined) return undefined;
    if (machine.generation !== endpoints.generation)
      return machine.generation < endpoints.generation ? machine : endpoints;
    return {
      occasion: machine.occasion,
      generation: machine.generation,
      ended: machine.ended + endpoints.ended,
      leftUnknown: machine.leftUnknown + endpoints.leftUnknown,
      failed: machine.failed + endpoints.failed,
      kept: machine.kept + endpoints.kept,
      at: new Date(Math.max(machine.at.getTime(), endpoints.at.getTime())),
    };
  }
}
