// In: word that rules of others may have changed. Out: a condition for each connection that must work and that they
// refuse for certain. Never in a hurry: nothing is put right by it, it is told.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { foreignRefusals } from "@weft/shared/kernel-verdict/foreign-refusals";
import { parseRuleset } from "@weft/shared/kernel-verdict/ruleset";
import type { DesiredState } from "@weft/shared/model/desired";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { vitalFlows } from "./vital-flows.ts";

export interface ForeignWatchParts {
  readonly host: Host;
  readonly log: Log;
  readonly desired: () => DesiredState | undefined;
  readonly onFindings: (findings: readonly Finding[]) => void;
}

/** Reading all rules of a busy firewall is not for every packet filter's whim. */
const atMostEveryMs = 30_000;
const settleMs = 1_000;
const mostTold = 8;

export class ForeignWatch {
  readonly #parts: ForeignWatchParts;
  #isDue = true;
  #wake: (() => void) | undefined;
  #told = "";

  constructor(parts: ForeignWatchParts) {
    this.#parts = parts;
  }

  /** Also after a new state of our own: what must work may be more. */
  heard(): void {
    this.#isDue = true;
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.host;
    while (!signal.aborted) {
      if (this.#isDue) {
        // programs write their rules in many steps
        await clock.sleep(settleMs, signal).catch(() => {});
        if (signal.aborted) return;
        this.#isDue = false;
        await this.#look();
        await clock.sleep(atMostEveryMs, signal).catch(() => {});
        continue;
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }

  async #look(): Promise<void> {
    const { host, log, desired, onFindings } = this.#parts;
    const state = desired();
    if (state === undefined) return;
    try {
      const { stdout } = await host.exec.run("nft", ["-j", "list", "ruleset"]);
      const refusals = foreignRefusals(parseRuleset(stdout), vitalFlows(state));
      const findings = refusals.slice(0, mostTold).map(
        ({ what, by, verdict }): Finding => ({
          code: "FOREIGN_REFUSES",
          detail: `${by} refuses ${what} (${verdict})`,
        }),
      );
      const told = findings.map(({ detail }) => detail).join("\n");
      if (told !== this.#told && told !== "") log.warn(`rules of others: ${told}`);
      if (told !== this.#told) onFindings(findings);
      this.#told = told;
    } catch (failure) {
      // That rules cannot be read is said where Weft's own are.
      if (!isWeftError(failure)) throw failure;
    }
  }
}
