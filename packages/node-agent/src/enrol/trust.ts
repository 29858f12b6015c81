// In: signed trust bundles as they arrive, and what the node already believes. Out: the newest one, on disk, and the
// enrolment with the highest sequence and ban epoch seen. An older one changes nothing and is an error.
import { SignedTrustBundle, TrustBundle as TrustBundleMessage } from "@weft/shared/gen/weft/v1/trust";
import { derToPem } from "@weft/shared/spiffe/certificate";
import { type TrustBundle, verifySignedBundle } from "@weft/shared/wire/trust-bundle";
import type { Files } from "../host/host.ts";
import { places } from "../state/places.ts";
import { type Enrolment, writeEnrolment } from "./enrolment.ts";

export function rootsPemOf(bundle: Pick<TrustBundle, "roots">): string {
  return bundle.roots.map((root) => derToPem(root)).join("");
}

export interface HeldTrust {
  readonly bundle: TrustBundle;
  readonly enrolment: Enrolment;
}

export function checkBundle(signed: SignedTrustBundle, enrolment: Enrolment, now: Date): TrustBundle {
  return verifySignedBundle(
    signed,
    { rootPublicKey: enrolment.rootPublicKey },
    {
      now,
      meshId: enrolment.meshId,
      lowestSequence: enrolment.bundleSequence,
      lowestBanEpoch: enrolment.banEpoch,
    },
  ).bundle;
}

/** Checks and keeps a bundle. Order: the bundle first, so that the recorded sequence never runs ahead of it. */
export async function keepBundle(
  files: Files,
  signed: SignedTrustBundle,
  enrolment: Enrolment,
  now: Date,
): Promise<HeldTrust> {
  const bundle = checkBundle(signed, enrolment, now);
  await files.write(places.bundle, SignedTrustBundle.encode(signed).finish(), { mode: 0o600 });
  const raised = { ...enrolment, bundleSequence: bundle.sequence, banEpoch: bundle.banEpoch };
  if (bundle.sequence !== enrolment.bundleSequence || bundle.banEpoch !== enrolment.banEpoch)
    await writeEnrolment(files, raised);
  return { bundle, enrolment: raised };
}

/**
 * The bundle on disk. Its expiry is not held against it: it was fresh when it was kept, and roots that are all a node
 * has are better than none; the way back in (re-entry) fetches a fresh one.
 */
export async function readHeldBundle(files: Files, enrolment: Enrolment): Promise<TrustBundle | undefined> {
  const bytes = await files.read(places.bundle);
  if (bytes === undefined) return undefined;
  const signed = SignedTrustBundle.decode(bytes);
  const { issued } = TrustBundleMessage.decode(signed.bundle);
  return checkBundle(signed, { ...enrolment, bundleSequence: 0, banEpoch: 0 }, issued ?? new Date(0));
}
