// In: the word weft-restore left of this boot. Out: what is wrong with the rules the machine booted with, if anything.
// It stands until weft-restore loads the confirmed ones again, at a boot or when somebody restarts it.
import type { Finding } from "../conditions.ts";
import type { Files } from "../host/host.ts";
import { places } from "../state/places.ts";

const findings: Readonly<Record<string, Finding>> = {
  previous: {
    code: "BOOTED_PREVIOUS",
    detail: `${places.confirmedPolicy} was missing or damaged: the rules before it were loaded`,
  },
  "guards-only": {
    code: "BOOTED_GUARDS_ONLY",
    detail: `${places.confirmedPolicy} and ${places.previousPolicy} were missing or damaged: guard flows only`,
  },
  nothing: {
    code: "BOOTED_OPEN",
    detail: `no file in ${places.policy} was whole: no rules were loaded`,
  },
};

export async function bootFindings(files: Files): Promise<Finding[]> {
  const outcome = (await files.readText(places.restoreOutcome))?.trim() ?? "";
  const finding = findings[outcome];
  return finding === undefined ? [] : [finding];
}
