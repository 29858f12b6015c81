// In: the coordinator's identity, its trust bundle, the last words of nodes, the clock. Out: each kept up to date, and
// a condition of its own for each trouble that stands in the way. What fails does not keep the rest from its turn.

import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";
import type { ConditionCode } from "@weft/shared/model/condition";
import type { ReportKeeper } from "../fleet/report-keeper.ts";
import type { Logger } from "../logger.ts";
import type { ConditionBoard } from "../rollout/condition-board.ts";
import type { BundleSigner } from "../trust/bundle-signer.ts";
import type { BundlePublisher } from "./bundle-publisher.ts";
import type { OwnIdentity } from "./own-identity.ts";

export interface UpkeepParts {
  readonly identity: Pick<OwnIdentity, "tend" | "keep">;
  readonly publisher: Pick<BundlePublisher, "refresh">;
  readonly reports: Pick<ReportKeeper, "flush">;
  readonly signer: Pick<BundleSigner, "notAfter">;
  readonly board: ConditionBoard;
  readonly now: () => Date;
  readonly log: Logger;
}

const warnBeforeMs = 30 * 24 * 3600 * 1000;

const troubles = [
  "SPIRE_SERVER_AWAY",
  "SIGNING_KEY_ENDED",
  "STORE_FAILING",
  "DISK_TROUBLE",
  "IDENTITY_FAILING",
] as const satisfies readonly ConditionCode[];

type Trouble = (typeof troubles)[number];

/** Which trouble a failure is: every one has its own remedy. */
function troubleOf(code: string): Trouble {
  if (code === "WEFT-E501") return "SPIRE_SERVER_AWAY";
  if (code === "WEFT-E200") return "SIGNING_KEY_ENDED";
  if (code === "WEFT-E502") return "STORE_FAILING";
  return code === "WEFT-E002" ? "DISK_TROUBLE" : "IDENTITY_FAILING";
}

export class Upkeep {
  readonly #parts: UpkeepParts;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  /** Identity and trust bundle. Throws only bugs. */
  async tend(): Promise<void> {
    const { identity, publisher, board, signer, now } = this.#parts;
    const ends = signer.notAfter;
    const left = ends.getTime() - now().getTime();
    const day = ends.toISOString().slice(0, 10);
    board.set("SIGNING_KEY_ENDING", "upkeep", left > 0 && left < warnBeforeMs ? `on ${day}` : undefined);
    board.set("SIGNING_KEY_ENDED", "upkeep", left > 0 ? undefined : `on ${day}`);
    await this.#attempt("identity", () => identity.tend());
    await this.#attempt("identity file", () => identity.keep());
    await this.#attempt("trust bundle", () => publisher.refresh());
  }

  /** Last words of nodes: those that cannot be written now are tried again. */
  async flush(): Promise<void> {
    await this.#attempt("last words", () => this.#parts.reports.flush());
  }

  async #attempt(what: string, work: () => Promise<void> | void): Promise<void> {
    const { board, log } = this.#parts;
    let found: Trouble | undefined;
    try {
      await work();
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      found = troubleOf(failure.code);
      if (board.set(found, what, `${what}: ${failure.why ?? messageOf(failure)}`))
        log.warn(`${what}: it stays as it is`, { failure });
    }
    for (const trouble of troubles) if (trouble !== found) board.set(trouble, what, undefined);
  }
}
