// In: the entries the mesh wants. Out: the SPIRE server has exactly those, foreign ones untouched; what was done,
// what failed, and which entries of anybody are alarming. Idempotent: run again, it does nothing.
import type { EntryAlarm } from "./reconcile-entries.ts";
import { auditEntries, diffEntries, type EntryDiff } from "./reconcile-entries.ts";
import type { EntryFailure, RegistrationEntry, SpireServer } from "./spire-server.ts";

export interface ReconcileResult {
  readonly diff: EntryDiff;
  readonly failures: readonly EntryFailure[];
  readonly alarms: readonly EntryAlarm[];
}

export async function reconcileEntries(
  server: SpireServer,
  wanted: readonly RegistrationEntry[],
): Promise<ReconcileResult> {
  const found = await server.listEntries();
  const diff = diffEntries(wanted, found);
  // Deleted first: the server refuses a second entry that says the same as one on its way out.
  const failures = [
    ...(await server.deleteEntries(diff.delete)),
    ...(await server.updateEntries(diff.update)),
    ...(await server.createEntries(diff.create)),
  ];
  return { diff, failures, alarms: auditEntries(found) };
}
