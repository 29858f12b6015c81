// In: what jest wrote about a run. Out: how many passed, failed and were skipped, and which were skipped.
import { z } from "zod";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

const reportSchema = z.object({
  numRuntimeErrorTestSuites: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

/** A file that did not even load counts as one failure, and so does a report that cannot be read. */
export function tallyOf(report: string): Tally {
  let data: unknown;
  try {
    data = JSON.parse(report);
  } catch {
    return { passed: 0, failed: 1, skipped: [] };
  }
  const parsed = reportSchema.safeParse(data);
  if (!parsed.success) return { passed: 0, failed: 1, skipped: [] };
  const results = parsed.data.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map((result) => ({ ...result, file: name })),
  );
  const count = (status: string) => results.filter((result) => result.status === status).length;
  return {
    passed: count("passed"),
    failed: count("failed") + parsed.data.numRuntimeErrorTestSuites,
    skipped: results
      .filter(({ status }) => status !== "passed" && status !== "failed")
      .map(({ file, fullName, status }) => `${file}: ${fullName} (${status})`),
  };
}

export function sum(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((total, { passed }) => total + passed, 0),
    failed: tallies.reduce((total, { failed }) => total + failed, 0),
    skipped: tallies.flatMap(({ skipped }) => skipped),
  };
}

export function summaryLine(total: Tally): string {
  return `${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`;
}
