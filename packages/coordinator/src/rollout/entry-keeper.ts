// In: the current mesh and its members. Out: SPIRE holds their registration entries and no others of Weft's, and
// nothing of nodes that are gone; conditions for what stands in the way. Run on every change and every minute.
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";
import { spireAgentId } from "@weft/shared/model/ids";
import type { Membership } from "../enrolment/membership.ts";
import type { Logger } from "../logger.ts";
import { reconcileEntries } from "../spire/entry-reconciler.ts";
import { isEmptyDiff } from "../spire/reconcile-entries.ts";
import type { RegistrationEntry, SpireServer } from "../spire/spire-server.ts";
import type { NodeTable } from "../store/store.ts";
import type { ConditionBoard } from "./condition-board.ts";
import type { MeshAuthority } from "./mesh-authority.ts";

export interface EntryKeeperParts {
  readonly authority: MeshAuthority;
  readonly nodes: NodeTable;
  readonly spire: SpireServer;
  readonly membership: Pick<Membership, "evict">;
  readonly board: ConditionBoard;
  readonly trustDomain: string;
  readonly log: Logger;
}

export class EntryKeeper {
  readonly #parts: EntryKeeperParts;

  constructor(parts: EntryKeeperParts) {
    this.#parts = parts;
  }

  /** undefined while the current mesh cannot be read: then nothing must be deleted for want of it. */
  #wanted(): RegistrationEntry[] | undefined {
    const { authority, nodes, trustDomain } = this.#parts;
    if (authority.revision === 0) return [];
    const members = new Set(
      nodes
        .list()
        .filter((node) => node.state === "joining" || node.state === "enrolled")
        .map((node) => spireAgentId(trustDomain, node.name)),
    );
    return authority.inForce.entries()?.filter((entry) => members.has(entry.parentId));
  }

  /** Throws only bugs: a SPIRE server that is away is a condition. */
  async run(): Promise<void> {
    const { membership, board, log } = this.#parts;
    try {
      const wanted = this.#wanted();
      if (wanted !== undefined) await this.#reconcile(wanted);
      await membership.evict();
      board.set("SPIRE_SERVER_AWAY", "entries", undefined);
    } catch (failure) {
      if (!isWeftError(failure) || failure.code !== "WEFT-E501") throw failure;
      if (board.set("SPIRE_SERVER_AWAY", "entries", failure.why ?? messageOf(failure)))
        log.warn("registration entries stay as they are", { failure });
    }
  }

  async #reconcile(wanted: readonly RegistrationEntry[]): Promise<void> {
    const { spire, board, log } = this.#parts;
    const { diff, failures, alarms } = await reconcileEntries(spire, wanted);
    if (!isEmptyDiff(diff))
      log.info("registration entries reconciled", {
        created: diff.create.map((entry) => entry.id),
        updated: diff.update.map((entry) => entry.id),
        deleted: diff.delete,
      });
    for (const { id, message } of failures) log.warn("registration entry refused", { entry: id, message });
    board.set(
      "ENTRY_RESERVED",
      "entries",
      alarms.length === 0
        ? undefined
        : alarms.map(({ id, spiffeId, why }) => `${id} (${spiffeId}): ${why}`).join("; "),
    );
  }
}
