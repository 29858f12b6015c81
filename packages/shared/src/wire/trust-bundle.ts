// In: a SignedTrustBundle and what the node already holds (a pin, or the root key for life). Out: the checked bundle.
// Signatures are checked over the bytes that came, before anything in them is believed.
import { createHash, createPublicKey, verify } from "node:crypto";
import { WeftError } from "../errors/weft-error.ts";
import type { FetchBundleResponse } from "../gen/weft/v1/enrol.ts";
import { NonceReply } from "../gen/weft/v1/enrol.ts";
import * as wire from "../gen/weft/v1/trust.ts";
import { present, toNumber } from "./number.ts";

export const trustBundleContext = "weft/v1 trust bundle";
export const signingKeyContext = "weft/v1 signing key";
export const nonceContext = "weft/v1 nonce";
export const joinContext = "weft/v1 join";
export const reEntryContext = "weft/v1 re-entry";

/** A bundle lives at most this long (design: trust). */
export const bundleLifeMs = 7 * 24 * 3600 * 1000;
/** A signing key lives at most a year; the day is for how years and clocks are counted. */
const signingKeyLifeMs = 366 * 24 * 3600 * 1000;
/** Clocks of a node and the coordinator may differ by this much (design: failure model). */
export const clockToleranceMs = 5 * 60 * 1000;

export interface TrustBundle {
  readonly meshId: string;
  readonly trustDomain: string;
  readonly sequence: number;
  readonly issued: Date;
  readonly expires: Date;
  /** X.509 authorities, DER. */
  readonly roots: readonly Uint8Array[];
  readonly revokedAuthorityIds: readonly string[];
  readonly banEpoch: number;
  readonly bannedNodes: readonly string[];
}

export type TrustAnchor = { readonly pin: string } | { readonly rootPublicKey: Uint8Array };

export interface BundleExpectations {
  readonly now: Date;
  readonly meshId?: string;
  /** The highest sequence seen; a lower one is refused. */
  readonly lowestSequence?: number;
  readonly lowestBanEpoch?: number;
}

export interface VerifiedBundle {
  readonly bundle: TrustBundle;
  readonly rootPublicKey: Uint8Array;
  /** SPKI DER of the signing key, for nonce replies. */
  readonly signingKey: Uint8Array;
}

/** "sha256:" and the hex SHA-256 of the mesh root's public key (SPKI DER). */
export function pinOf(rootPublicKey: Uint8Array): string {
  return `sha256:${createHash("sha256").update(rootPublicKey).digest("hex")}`;
}

export function parsePin(text: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  throw new WeftError("WEFT-E001", `"${text}" is no pin`, {
    hint: "paste the line that `weft node add` printed; a pin is sha256: and 64 hex digits",
  });
}

export function encodeTrustBundle(bundle: TrustBundle): Uint8Array {
  return wire.TrustBundle.encode({
    ...bundle,
    context: trustBundleContext,
    sequence: BigInt(bundle.sequence),
    banEpoch: BigInt(bundle.banEpoch),
    roots: bundle.roots.map((root) => Buffer.from(root)),
    revokedAuthorityIds: [...bundle.revokedAuthorityIds],
    bannedNodes: [...bundle.bannedNodes],
  }).finish();
}

export function verifySignedBundle(
  signed: wire.SignedTrustBundle,
  anchor: TrustAnchor,
  expected: BundleExpectations,
): VerifiedBundle {
  const untrusted = (why: string): WeftError =>
    new WeftError("WEFT-E200", "the trust bundle is not signed by this mesh's root", {
      why,
      hint: "check the pin against the one `weft node add` prints on the coordinator; if it is right, somebody is in between",
    });
  const rootMatches =
    "pin" in anchor
      ? pinOf(signed.rootPublicKey) === anchor.pin
      : Buffer.from(signed.rootPublicKey).equals(anchor.rootPublicKey);
  if (!rootMatches) throw untrusted("the root key that was offered is not the pinned one");
  if (!verifyEd25519(signed.rootPublicKey, signed.signingKey, signed.signingKeySignature))
    throw untrusted("the signing key carries no valid signature of the root");
  const key = wire.SigningKey.decode(signed.signingKey);
  if (key.context !== signingKeyContext) throw untrusted("the root signed something else");
  checkWindow(expected.now, key.notBefore, key.notAfter, (why) => untrusted(`the signing key ${why}`));
  if (
    present(key.notAfter, "end").getTime() - present(key.notBefore, "beginning").getTime() >
    signingKeyLifeMs
  )
    throw untrusted("the signing key claims to live longer than a year");
  if (!verifyEd25519(key.publicKey, signed.bundle, signed.bundleSignature))
    throw untrusted("the bundle carries no valid signature of the signing key");

  const message = wire.TrustBundle.decode(signed.bundle);
  if (message.context !== trustBundleContext) throw untrusted("the signing key signed something else");
  if (message.meshId !== key.meshId) throw untrusted("the signing key belongs to another mesh");
  if (expected.meshId !== undefined && message.meshId !== expected.meshId)
    throw untrusted("the bundle belongs to another mesh");
  checkWindow(expected.now, message.issued, message.expires, (why) => untrusted(`the bundle ${why}`));
  const bundle: TrustBundle = {
    meshId: message.meshId,
    trustDomain: message.trustDomain,
    sequence: toNumber(message.sequence, "bundle sequence"),
    issued: present(message.issued, "bundle issued"),
    expires: present(message.expires, "bundle expires"),
    roots: message.roots,
    revokedAuthorityIds: message.revokedAuthorityIds,
    banEpoch: toNumber(message.banEpoch, "ban epoch"),
    bannedNodes: message.bannedNodes,
  };
  if (bundle.expires.getTime() - bundle.issued.getTime() > bundleLifeMs)
    throw untrusted("the bundle claims to live longer than 7 days");
  if (bundle.sequence < (expected.lowestSequence ?? 0) || bundle.banEpoch < (expected.lowestBanEpoch ?? 0))
    throw new WeftError("WEFT-E207", "an older trust bundle than the one already seen was offered", {
      why: `sequence ${bundle.sequence}, ban epoch ${bundle.banEpoch}; seen ${expected.lowestSequence ?? 0}, ${expected.lowestBanEpoch ?? 0}`,
      hint: "if the coordinator was restored from a backup, read the runbook; otherwise an old bundle is being replayed",
    });
  return { bundle, rootPublicKey: signed.rootPublicKey, signingKey: key.publicKey };
}

/**
 * The answer is fresh: the signing key signed the nonce we just made, and the sequence of the bundle it came with, so
 * that nobody in between gives us an older one. Says the coordinator's time.
 * @param response its bundle was verified
 */
export function verifyNonceReply(
  response: Pick<FetchBundleResponse, "bundle" | "nonceReply" | "nonceSignature">,
  nonce: Uint8Array,
  signingKey: Uint8Array,
): { readonly serverTime: Date } {
  const stale = (why: string): WeftError =>
    new WeftError("WEFT-E200", "the coordinator's answer is not fresh", { why, hint: "try again" });
  if (!verifyEd25519(signingKey, response.nonceReply, response.nonceSignature))
    throw stale("the nonce carries no valid signature of the signing key");
  const reply = NonceReply.decode(response.nonceReply);
  if (reply.context !== nonceContext) throw stale("the signing key signed something else");
  if (!Buffer.from(reply.nonce).equals(nonce)) throw stale("it answers another question");
  const { sequence } = wire.TrustBundle.decode(present(response.bundle, "trust bundle").bundle);
  if (reply.sequence !== sequence)
    throw stale(`it is about trust bundle ${reply.sequence}, and bundle ${sequence} came with it`);
  return { serverTime: present(reply.serverTime, "server time") };
}

function checkWindow(
  now: Date,
  from: Date | undefined,
  to: Date | undefined,
  refuse: (why: string) => WeftError,
): void {
  if (from === undefined || to === undefined) throw refuse("has no dates");
  if (now.getTime() < from.getTime() - clockToleranceMs)
    throw refuse(
      `is not valid before ${from.toISOString()} (this machine's clock says ${now.toISOString()})`,
    );
  if (now.getTime() > to.getTime() + clockToleranceMs)
    throw refuse(`expired at ${to.toISOString()} (this machine's clock says ${now.toISOString()})`);
}

function verifyEd25519(spki: Uint8Array, payload: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    return key.asymmetricKeyType === "ed25519" && verify(null, payload, key, signature);
  } catch {
    // not a key at all: the same answer as a wrong signature
    return false;
  }
}
