// In: the kernel's rules, all of them. Out: what rules of others do to Weft's flows: a notice of each chain that may
// refuse, and trouble where one demonstrably refuses something that must work.
import { foreignHooks, hookPlace } from "@weft/shared/kernel-verdict/foreign-hooks";
import { foreignRefusals } from "@weft/shared/kernel-verdict/foreign-refusals";
import { parseRuleset } from "@weft/shared/kernel-verdict/ruleset";
import type { DesiredState } from "@weft/shared/model/desired";
import { legacyTableNames } from "../facts/foreign-hooks.ts";
import type { Host } from "../host/host.ts";
import { vitalFlows } from "../policy/vital-flows.ts";
import { type Finding, good, notice, trouble } from "./finding.ts";

export async function checkBeside(host: Host, desired: DesiredState | undefined): Promise<Finding[]> {
  const { stdout } = await host.exec.run("nft", ["-j", "list", "ruleset"]);
  const ruleset = parseRuleset(stdout);
  const refusals = desired === undefined ? [] : foreignRefusals(ruleset, vitalFlows(desired));
  const refused = refusals.map(({ what, by, verdict }) =>
    trouble(
      "beside",
      `${by} refuses ${what}`,
      `Its verdict is ${verdict}, and whoever refuses, refuses: Weft cannot override it.`,
      "allow it there as well, or take that chain away; Weft never edits rules of others",
    ),
  );
  const hooks = foreignHooks(ruleset, await legacyTableNames(host.files));
  const telling = hooks
    .filter((hook) => hook.refuses || hook.type === "nat")
    .map((hook) =>
      notice("beside", hookPlace(hook), hook.effect, "see that it allows what the mesh file allows"),
    );
  const none = good("beside", "no rules of others refuse or rewrite anything here");
  return refused.length + telling.length === 0 ? [none] : [...refused, ...telling];
}
