// In: the agent's last report. Out: it on disk, so that status and join on this machine need neither the agent's memory
// nor the coordinator.
import type { NodeReport } from "@weft/shared/model/report";
import type { Files } from "../host/host.ts";
import { places } from "./places.ts";

export async function saveReport(files: Files, report: NodeReport): Promise<void> {
  await files.write(places.report, `${JSON.stringify(report)}\n`, { mode: 0o600 });
}

/** Our own file, written whole or not at all; an unreadable one counts as none. Dates are texts in it. */
export type SavedReport = Omit<NodeReport, "enforcedAt" | "conditions" | "identity"> & {
  readonly enforcedAt?: string;
  readonly conditions: readonly { readonly code: string; readonly detail: string; readonly since: string }[];
  readonly identity: {
    readonly nodeSvidExpires?: string;
    readonly spireAgentId: string;
    readonly spireAgentHealthy: boolean;
    readonly spireAgentSvidExpires?: string;
  };
};

export async function readSavedReport(files: Files): Promise<SavedReport | undefined> {
  const text = await files.readText(places.report);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as SavedReport;
  } catch {
    return undefined;
  }
}
