// In: the rules this node should have, what is confirmed on disk, what the kernel has. Out: the steps between, or none,
// and whether somebody else's hand made them necessary. Pure.
import type { Step } from "@weft/shared/model/step";
import { otherSlot, type Slot } from "@weft/shared/render/nftables-slots";
import type { ConfirmedPolicy } from "./confirmed.ts";
import type { KernelTable } from "./kernel-table.ts";
import type { RevertedState } from "./pending.ts";

export interface WantedPolicy {
  readonly generation: number;
  readonly revision: number;
  readonly digest: string;
  /** Alone, as boot would load it. */
  textIn(slot: Slot): string;
  /** Beside the confirmed policy in the other slot. */
  stageIn(slot: Slot): string;
  /** In force instead of it, for a time. */
  arming(): string;
  /** The first stage on a machine that has no table yet. */
  tracking(): string;
}

export interface PolicyObserved {
  readonly confirmed: ConfirmedPolicy | undefined;
  readonly kernel: KernelTable | undefined;
  /** The last state that has undone itself. */
  readonly reverted: RevertedState | undefined;
}

export interface PolicyPlan {
  readonly steps: readonly Step[];
  /** What is wrong in the kernel though nothing new is wanted; undefined: nothing. */
  readonly drift: string | undefined;
}

export function planPolicy(wanted: WantedPolicy, observed: PolicyObserved): PolicyPlan {
  const { confirmed, kernel } = observed;
  const { revision, digest, generation } = wanted;
  const direct = (text: string, of: { readonly revision: number; readonly digest: string }): Step => {
    const tracking = kernel === undefined ? wanted.tracking() : undefined;
    return { kind: "loadPolicy", args: { text, revision: of.revision, digest: of.digest, tracking } };
  };
  const isHeld = isReverted(wanted, observed.reverted);
  // Nothing of this release is confirmed: there is nothing to go back to.
  if (confirmed?.slot === undefined)
    return { steps: isHeld ? [] : [direct(wanted.textIn("a"), wanted)], drift: undefined };
  // Only its file was damaged: the record still says that it was confirmed.
  if (confirmed.source !== "confirmed" && confirmed.recordedDigest === digest)
    return { steps: [direct(wanted.textIn("a"), wanted)], drift: undefined };
  const drift = driftOf(confirmed, kernel);
  const isLoaded = isSame(confirmed, kernel);
  const restore = isLoaded ? [] : [direct(confirmed.text, confirmed)];
  if (isHeld) return { steps: restore, drift };
  if (confirmed.digest === digest) {
    // The same policy: other uids, another release's way to write it, or another revision's number.
    const text = wanted.textIn(confirmed.slot);
    const sameText = confirmed.text === text;
    if (sameText && isLoaded) return { steps: [], drift };
    return { steps: [direct(text, wanted)], drift: sameText ? drift : undefined };
  }
  const slot = otherSlot(confirmed.slot);
  const arm: Step = {
    kind: "armPolicy",
    args: {
      text: wanted.textIn(slot),
      stage: wanted.stageIn(slot),
      arm: wanted.arming(),
      revision,
      digest,
      generation,
    },
  };
  return { steps: [...restore, arm], drift };
}

/** With nothing wanted but what is confirmed. */
export function planHold({ confirmed, kernel }: Omit<PolicyObserved, "reverted">): PolicyPlan {
  if (confirmed === undefined || isSame(confirmed, kernel)) return { steps: [], drift: undefined };
  const { text, revision, digest } = confirmed;
  return {
    steps: [{ kind: "loadPolicy", args: { text, revision, digest, tracking: undefined } }],
    drift: driftOf(confirmed, kernel),
  };
}

/** Held until a newer generation comes: trying it again by itself would cut the machine off again. */
export function isReverted(
  { generation, digest }: Pick<WantedPolicy, "generation" | "digest">,
  reverted: RevertedState | undefined,
): boolean {
  return reverted?.generation === generation && reverted.digest === digest;
}

function isSame(confirmed: ConfirmedPolicy, kernel: KernelTable | undefined): boolean {
  return (
    kernel !== undefined &&
    kernel.fingerprint === confirmed.fingerprint &&
    kernel.revision === confirmed.revision &&
    kernel.digest === confirmed.digest
  );
}

/** A confirmed record without a fingerprint proves nothing, in either direction. */
export function driftOf(confirmed: ConfirmedPolicy, kernel: KernelTable | undefined): string | undefined {
  if (confirmed.fingerprint === "") return undefined;
  if (kernel === undefined) return "table inet weft was gone";
  return kernel.fingerprint === confirmed.fingerprint ? undefined : "table inet weft was changed";
}
