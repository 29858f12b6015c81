// `weft-node-agent doctor [--json]`: looks for what would break Weft's promises on this machine, and says of each thing
// what it is, why it matters and what to do. Reads only; works with agent and coordinator dead. Exit code 1: trouble.
import { describeError, isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { checkBeside } from "../doctor/beside-check.ts";
import { judgeBoot, readBootUnits } from "../doctor/boot-check.ts";
import { checkCilium } from "../doctor/cilium-check.ts";
import { type Finding, good, trouble } from "../doctor/finding.ts";
import { checkPrograms, checkSwitches, checkUsers } from "../doctor/kernel-check.ts";
import { checkRules } from "../doctor/rules-check.ts";
import { readEnrolment } from "../enrol/enrolment.ts";
import type { Host } from "../host/host.ts";
import { readDesired } from "../link/desired-store.ts";
import { unitNames } from "../state/places.ts";
import type { CommandContext } from "./context.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";

export async function examine(host: Host, signal?: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  /** What one check cannot find out must not keep the others from it. */
  const attempt = async (check: string, look: () => Promise<readonly Finding[]>) => {
    try {
      findings.push(...(await look()));
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      findings.push(
        trouble(check, "this could not be looked at", describeError(failure), failure.hint ?? ""),
      );
    }
  };
  const desired = await readDesired(host.files).catch(() => undefined);
  await attempt("agent", async () => {
    const { active, enabled } = await host.units.state(unitNames.agent);
    const is = `${unitNames.agent} is ${active}${enabled ? ", enabled" : ", not enabled"}`;
    return active === "active" && enabled
      ? [good("agent", is)]
      : [
          trouble(
            "agent",
            is,
            "Without it the rules stay, but nothing is repaired, renewed or reported.",
            `systemctl enable --now ${unitNames.agent}`,
          ),
        ];
  });
  await attempt("boot", async () => judgeBoot(await readBootUnits(host.exec)));
  await attempt("rules", () => checkRules(host));
  await attempt("programs", () => checkPrograms(host));
  await attempt("users", () => checkUsers(host, desired));
  await attempt("ports", () => checkSwitches(host, desired));
  await attempt("beside", () => checkBeside(host, desired));
  await attempt("cilium", () => checkCilium(host, signal));
  return findings;
}

const marks = { good: "ok", notice: "note", trouble: "FAIL" } as const;

export async function runDoctor(context: CommandContext, json: boolean): Promise<ExitCode> {
  const { host, terminal } = context;
  if (!context.isRoot)
    throw new WeftError("WEFT-E006", "reading the kernel's rules needs root", { hint: "run it with sudo" });
  const enrolment = await readEnrolment(host.files);
  if (enrolment === undefined)
    throw new WeftError("WEFT-E001", "this machine has not joined a mesh", {
      hint: "`weft-node-agent facts` lists the rules of others before it does",
    });
  const findings = await examine(host, context.signal);
  const isWell = findings.every(({ standing }) => standing !== "trouble");
  if (json) terminal.out(JSON.stringify({ node: enrolment.node, well: isWell, findings }, undefined, 2));
  else
    for (const { standing, check, what, why, todo } of findings) {
      terminal.out(`${marks[standing].padEnd(4)}  ${check.padEnd(14)}  ${what}`);
      if (why !== "") terminal.out(`${" ".repeat(22)}why: ${why}`);
      if (todo !== "") terminal.out(`${" ".repeat(22)}do:  ${todo}`);
    }
  return isWell ? exitCodes.done : exitCodes.failed;
}
