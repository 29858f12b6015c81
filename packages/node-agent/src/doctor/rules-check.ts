// In: the confirmed policy on disk and the kernel's table. Out: whether the file is what its record says, and the kernel
// has what the file says.
import { parseScriptHeader } from "@weft/shared/render/nftables-script-header";
import type { Host } from "../host/host.ts";
import { readConfirmed } from "../policy/confirmed.ts";
import { readArmed, readKernelTable } from "../policy/kernel-table.ts";
import { places } from "../state/places.ts";
import { type Finding, good, notice, trouble } from "./finding.ts";

const seeLog =
  "journalctl -u weft-node-agent says what is in the way; the agent repairs it by itself when it can";

export async function checkRules({ files, exec }: Host): Promise<Finding[]> {
  const confirmed = await readConfirmed(files);
  if (confirmed === undefined)
    return [
      trouble("rules", "no policy was confirmed on this machine yet", "A boot would load nothing.", seeLog),
    ];
  const findings: Finding[] = [];
  const header = parseScriptHeader(confirmed.text);
  if (header === undefined || confirmed.slot === undefined)
    findings.push(
      trouble(
        "confirmed-file",
        `${places.confirmedPolicy} is not a policy of this release`,
        "It is damaged, or was written by another release: what a boot would enforce is not known.",
        "systemctl restart weft-node-agent writes it anew",
      ),
    );
  else if (confirmed.fingerprint === "")
    findings.push(
      trouble(
        "confirmed-file",
        `${places.confirmedPolicy} and its record do not belong together`,
        "A crash came between them, or somebody edited one: a change of the rules cannot be told from them.",
        "systemctl restart weft-node-agent writes both anew",
      ),
    );
  else findings.push(good("confirmed-file", `a boot loads revision ${header.revision}`));
  const kernel = await readKernelTable(exec);
  const armed = await readArmed(exec);
  if (kernel === undefined)
    findings.push(trouble("rules", "the kernel has no table inet weft", "Nothing is enforced.", seeLog));
  else if (armed !== undefined)
    findings.push(
      notice(
        "rules",
        "a new policy is armed and not confirmed yet",
        `Unconfirmed, it undoes itself in ${armed.expiresSeconds} s.`,
        "wait, and look again",
      ),
    );
  else if (confirmed.fingerprint !== "" && kernel.fingerprint !== confirmed.fingerprint)
    findings.push(
      trouble(
        "rules",
        "the rules in the kernel are not the confirmed ones",
        "Somebody changed table inet weft.",
        seeLog,
      ),
    );
  else findings.push(good("rules", `the kernel enforces revision ${kernel.revision}`));
  return findings;
}
