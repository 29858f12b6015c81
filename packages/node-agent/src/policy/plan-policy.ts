// In: the rules this node should have, what is confirmed on disk, what the kernel has. Out: the step between, or none,
// and whether somebody else's hand made it necessary. Pure.
import type { Step } from "@weft/shared/model/step";
import type { ConfirmedPolicy } from "./confirmed.ts";
import type { KernelTable } from "./kernel-table.ts";

export interface WantedPolicy {
  readonly text: string;
  readonly revision: number;
  readonly digest: string;
  /** The first stage on a machine that has no table yet. */
  readonly tracking: string;
}

export interface PolicyObserved {
  readonly confirmed: ConfirmedPolicy | undefined;
  readonly kernel: KernelTable | undefined;
}

export interface PolicyPlan {
  readonly steps: readonly Step[];
  /** What is wrong in the kernel though nothing new is wanted; undefined: nothing. */
  readonly drift: string | undefined;
}

export function planPolicy(wanted: WantedPolicy, { confirmed, kernel }: PolicyObserved): PolicyPlan {
  const { text, revision, digest } = wanted;
  const sameText = confirmed?.text === text;
  const drift = sameText ? driftOf(confirmed, kernel) : undefined;
  const inForce =
    sameText && drift === undefined && kernel?.revision === revision && kernel.digest === digest;
  if (inForce) return { steps: [], drift };
  const tracking = kernel === undefined ? wanted.tracking : undefined;
  return { steps: [{ kind: "loadPolicy", args: { text, revision, digest, tracking } }], drift };
}

/** A confirmed record without a fingerprint proves nothing, in either direction. */
function driftOf(confirmed: ConfirmedPolicy, kernel: KernelTable | undefined): string | undefined {
  if (confirmed.fingerprint === "") return undefined;
  if (kernel === undefined) return "table inet weft was gone";
  return kernel.fingerprint === confirmed.fingerprint ? undefined : "table inet weft was changed";
}
