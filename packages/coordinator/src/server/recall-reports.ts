// In: the last words of nodes, as the store keeps them. Out: the coordinator knows them again after a start.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { NodeFacts } from "@weft/shared/gen/weft/v1/facts";
import { NodeReport } from "@weft/shared/gen/weft/v1/report";
import { decodeFacts } from "@weft/shared/wire/facts-codec";
import { decodeReport } from "@weft/shared/wire/report-codec";
import type { Coordinator } from "../coordinator.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/store.ts";

/** Last words written by another release may not be understood: their nodes say them again. */
export function recallReports(store: Store, coordinator: Coordinator, log: Logger): void {
  for (const { node, report, facts } of store.reports.list())
    try {
      coordinator.recall(
        node,
        report === undefined ? undefined : decodeReport(NodeReport.decode(report)),
        facts === undefined ? undefined : decodeFacts(NodeFacts.decode(facts)),
      );
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      log.warn("the last word of a node is not understood", { node, failure });
    }
}
