// In: systemd's word on the early unit. Out: whether the rules are loaded before the network is up, and after whatever
// flushes them. Pure but for the asking.
import type { Exec } from "../host/host.ts";
import { unitNames } from "../state/places.ts";
import { type Finding, good, notice, trouble } from "./finding.ts";

/** Each writes rules when it starts, some flush all there are. */
export const ruleUnits = [
  "nftables.service",
  "netfilter-persistent.service",
  "ufw.service",
  "firewalld.service",
] as const;

export interface BootUnits {
  readonly enabled: boolean;
  readonly active: boolean;
  readonly after: readonly string[];
  readonly before: readonly string[];
  readonly partOf: readonly string[];
  /** Of the units that write rules, those that start at boot. */
  readonly ruleUnits: readonly string[];
}

export function judgeBoot(units: BootUnits): Finding[] {
  const { restore } = unitNames;
  const reinstall = "install the node agent again: install.sh agent";
  if (!units.enabled)
    return [
      trouble(
        "boot",
        `${restore} is not enabled`,
        "After a boot nothing is enforced until the agent runs, which is after the network is up.",
        `systemctl enable ${restore}`,
      ),
    ];
  const findings: Finding[] = [];
  if (!units.before.includes("network-pre.target"))
    findings.push(
      trouble(
        "boot",
        `${restore} is not ordered before network-pre.target`,
        "The network could be up before the rules.",
        reinstall,
      ),
    );
  for (const unit of units.ruleUnits) {
    if (!units.after.includes(unit))
      findings.push(
        trouble(
          "boot",
          `${restore} is not ordered after ${unit}`,
          "That one would flush the rules.",
          reinstall,
        ),
      );
    else if (!units.partOf.includes(unit))
      findings.push(
        trouble(
          "boot",
          `a restart of ${unit} does not restart ${restore}`,
          "Until the agent notices, nothing is enforced.",
          reinstall,
        ),
      );
  }
  if (!units.active)
    findings.push(
      notice(
        "boot",
        `${restore} is not active`,
        "It has failed, or went with the stop of a unit that it follows: a reload of one is not followed by it.",
        `systemctl restart ${restore}; journalctl -u ${restore}`,
      ),
    );
  const also = units.ruleUnits.length === 0 ? "" : `, and after ${units.ruleUnits.join(", ")}`;
  return findings.length > 0
    ? findings
    : [good("boot", `the confirmed rules are loaded before the network is up${also}`)];
}

export async function readBootUnits(exec: Exec): Promise<BootUnits> {
  const properties = ["UnitFileState", "ActiveState", "After", "Before", "PartOf"];
  const show = async (unit: string) => {
    const args = ["show", ...properties.flatMap((name) => ["-p", name]), "--", unit];
    const { stdout } = await exec.run("systemctl", args);
    return new Map(
      stdout.split("\n").map((line): [string, string] => {
        const equals = line.indexOf("=");
        return [line.slice(0, equals), line.slice(equals + 1)];
      }),
    );
  };
  const restore = await show(unitNames.restore);
  const words = (name: string) => (restore.get(name) ?? "").split(" ").filter((word) => word !== "");
  const enabled: string[] = [];
  for (const unit of ruleUnits) if ((await show(unit)).get("UnitFileState") === "enabled") enabled.push(unit);
  return {
    enabled: restore.get("UnitFileState") === "enabled",
    active: restore.get("ActiveState") === "active",
    after: words("After"),
    before: words("Before"),
    partOf: words("PartOf"),
    ruleUnits: enabled,
  };
}
