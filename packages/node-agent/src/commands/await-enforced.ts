// In: the reports the agent leaves on disk after a join. Out: lines as each part comes into force, and a verdict: all of
// it, or what is missing when the time is up.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Host } from "../host/host.ts";
import { readSavedReport, type SavedReport } from "../state/saved-report.ts";

const patienceMs = 90_000;
const askEveryMs = 100;

interface Part {
  readonly name: string;
  readonly said: (report: SavedReport) => string | undefined;
}

const parts: readonly Part[] = [
  {
    name: "policy",
    said: (report) =>
      report.phase === "enforced"
        ? `policy revision ${report.enforcedRevision} in force (${report.witness})`
        : undefined,
  },
  {
    name: "names",
    said: ({ dns, conditions }) =>
      dns.state === "in-force"
        ? `names in force: ${dns.mode}`
        : // Nothing was to be taken over, or it was left alone for a reason: either way that is the outcome.
          dns.state === "off" && dns.detail !== "nothing was wanted yet"
          ? `names: the host's resolver was left alone (${conditions.find((item) => item.code.startsWith("DNS_"))?.detail ?? dns.detail})`
          : undefined,
  },
  {
    name: "identity",
    said: ({ identity }) =>
      identity.spireAgentHealthy ? `identity: SPIRE agent attested as ${identity.spireAgentId}` : undefined,
  },
];

export async function awaitEnforced(
  host: Host,
  narrate: (line: string) => void,
  signal: AbortSignal,
): Promise<SavedReport> {
  const deadline = host.clock.now().getTime() + patienceMs;
  const missing = new Set(parts);
  while (true) {
    const report = await readSavedReport(host.files);
    if (report !== undefined)
      for (const part of [...missing]) {
        const line = part.said(report);
        if (line === undefined) continue;
        narrate(line);
        missing.delete(part);
      }
    if (report !== undefined && missing.size === 0) return report;
    if (host.clock.now().getTime() >= deadline) {
      const why = report?.conditions.map((condition) => `${condition.code}: ${condition.detail}`).join("; ");
      throw new WeftError(
        "WEFT-E102",
        `not yet in force: ${[...missing].map((part) => part.name).join(", ")}`,
        {
          why: why === undefined || why === "" ? "The agent has not said why." : why,
          hint: "the agent goes on trying; ask `weft-node-agent status`, or journalctl -u weft-node-agent",
        },
      );
    }
    await host.clock.sleep(askEveryMs, signal);
  }
}
