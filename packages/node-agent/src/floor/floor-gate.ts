// In: a desired state, at every look. Out: what of it the machine's floor lets be, and what is to be told. A floor that
// is broken is no missing floor: nothing new is taken until it can be read.
import type { DesiredState } from "@weft/shared/model/desired";
import { type FloorReport, noFloor, refusalSentence } from "@weft/shared/model/floor";
import { contentDigest } from "@weft/shared/plan/content-digest";
import { contentOf } from "@weft/shared/plan/desired-content";
import type { Finding } from "../conditions.ts";
import type { Files } from "../host/host.ts";
import { applyFloor } from "./apply-floor.ts";
import { FloorFile, type FloorLook } from "./floor-file.ts";

export interface Admission {
  /** Under the digest of what was sent: that is what the kernel's revision names. undefined: nothing new is taken. */
  readonly policy: DesiredState | undefined;
  /** For names and identity, under a digest of its own: it changes with the floor. undefined: as it is. */
  readonly rest: DesiredState | undefined;
  readonly findings: readonly Finding[];
  readonly report: FloorReport;
}

export interface Gate {
  admit(desired: DesiredState): Promise<Admission>;
}

/** The rest is in the report's list, or in `weft-node-agent floor check`. */
const mostTold = 3;

export class FloorGate implements Gate {
  readonly #file: FloorFile;
  #seen = false;
  #last:
    | { readonly desired: DesiredState; readonly text: string | undefined; readonly admission: Admission }
    | undefined;

  constructor(files: Pick<Files, "info" | "readText">) {
    this.#file = new FloorFile(files);
  }

  async admit(desired: DesiredState): Promise<Admission> {
    const look = await this.#file.look();
    if (look.state !== "none") this.#seen = true;
    if (look.state === "broken") return this.#hold(look.problems);
    const text = look.state === "none" ? undefined : look.text;
    const last = this.#last;
    const admission =
      last?.desired === desired && last.text === text ? last.admission : admissionOf(desired, look);
    this.#last = { desired, text, admission };
    if (look.state !== "none" || !this.#seen) return admission;
    return { ...admission, findings: [...admission.findings, { code: "FLOOR_GONE", detail: "" }] };
  }

  #hold(problems: readonly string[]): Admission {
    return {
      policy: undefined,
      rest: this.#last?.admission.rest,
      findings: [{ code: "FLOOR_BROKEN", detail: listed(problems, 0) }],
      report: { state: "broken", refusals: [], leftOut: 0 },
    };
  }
}

function admissionOf(desired: DesiredState, look: Exclude<FloorLook, { state: "broken" }>): Admission {
  const floor = look.state === "none" ? undefined : look.floor;
  const { content, refusals, leftOut } = applyFloor(contentOf(desired), floor);
  const findings: Finding[] =
    refusals.length === 0
      ? []
      : [{ code: "FLOOR_REFUSED", detail: listed(refusals.map(refusalSentence), leftOut) }];
  // nothing was taken away or added: the state itself, so that nothing is rendered anew
  if (floor === undefined && refusals.length === 0)
    return { policy: desired, rest: desired, findings, report: noFloor };
  const policy = { ...desired, ...content };
  return {
    policy,
    rest: { ...policy, digest: contentDigest(content) },
    findings,
    report: { state: look.state, refusals, leftOut },
  };
}

function listed(sentences: readonly string[], leftOut: number): string {
  const more = sentences.length - mostTold + leftOut;
  const told = sentences.slice(0, mostTold).join("; ");
  return more <= 0 ? told : `${told}; and ${more} more`;
}
