// `weft-node-agent status [--json]`: what is in force on this machine, from its files, its kernel and systemd alone: it
// works with the coordinator, and the agent, dead.
import { conditionKinds, isConditionCode } from "@weft/shared/model/condition";
import { floorSentence } from "@weft/shared/model/floor";
import { readEnrolment } from "../enrol/enrolment.ts";
import { readNodeSvid } from "../enrol/node-svid.ts";
import { readConfirmed } from "../policy/confirmed.ts";
import { readKernelTable } from "../policy/kernel-table.ts";
import { unitNames } from "../state/places.ts";
import { readSavedReport } from "../state/saved-report.ts";
import type { CommandContext } from "./context.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";

async function gather({ host }: CommandContext) {
  const { files, units, exec } = host;
  const enrolment = await readEnrolment(files);
  const svid = await readNodeSvid(files);
  const kernel = await readKernelTable(exec);
  const confirmed = await readConfirmed(files);
  const report = await readSavedReport(files);
  const states: Record<string, string> = {};
  for (const unit of [unitNames.agent, unitNames.restore, unitNames.spireAgent, unitNames.dns]) {
    const { active, enabled } = await units.state(unit);
    states[unit] = `${active}${enabled ? ", enabled" : ""}`;
  }
  return {
    node: enrolment?.node ?? "",
    mesh: enrolment?.mesh ?? "",
    trustDomain: enrolment?.trustDomain ?? "",
    coordinator: enrolment === undefined ? "" : `${enrolment.coordinatorAddress}:${enrolment.agentPort}`,
    dismissed: enrolment?.dismissed ?? "",
    nodeSvidExpires: svid?.notAfter.toISOString() ?? "",
    kernel: kernel === undefined ? undefined : { revision: kernel.revision, digest: kernel.digest },
    drifted: kernel !== undefined && confirmed !== undefined && kernel.fingerprint !== confirmed.fingerprint,
    units: states,
    report,
  };
}

export async function runStatus(context: CommandContext, json: boolean): Promise<ExitCode> {
  const status = await gather(context);
  const { out } = context.terminal;
  if (json) {
    out(JSON.stringify(status, undefined, 2));
    return exitCodes.done;
  }
  if (status.node === "") {
    out("this machine has not joined a mesh");
    return exitCodes.done;
  }
  const { report, kernel } = status;
  const dns = report?.dns;
  out(
    `node         ${status.node} of mesh ${status.mesh} (${status.trustDomain}), coordinator ${status.coordinator}`,
  );
  if (status.dismissed !== "") out(`dismissed    ${status.dismissed}`);
  out(
    `policy       ${kernel === undefined ? "no table in the kernel" : `revision ${kernel.revision} in the kernel`}${status.drifted ? ", changed by somebody else" : ""}`,
  );
  out(
    `identity     node SVID until ${status.nodeSvidExpires || "none"}; SPIRE agent ${report?.identity.spireAgentHealthy === true ? `healthy, SVID until ${report.identity.spireAgentSvidExpires ?? "unknown"}` : "not healthy"}`,
  );
  out(`names        ${dns === undefined ? "unknown" : `${dns.mode}, ${dns.state}: ${dns.detail}`}`);
  if (report?.floor !== undefined)
    out(`floor        ${floorSentence(report.floor, 5) || report.floor.state}`);
  for (const [unit, state] of Object.entries(status.units)) out(`unit         ${unit} ${state}`);
  for (const { code, detail } of report?.conditions ?? []) {
    out(`condition    ${code}: ${detail}`);
    if (isConditionCode(code)) out(`               ${conditionKinds[code].hint}`);
  }
  return exitCodes.done;
}
