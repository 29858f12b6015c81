// In: a message of the Workload API. Out: the workload's whole X.509 state, or WEFT-E205 saying why the message is
// not usable: a message is taken whole or not at all. Pure.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { WeftError } from "../errors/weft-error.ts";
import type { X509SVID, X509SVIDResponse } from "../gen/third_party/workload.ts";
import { readCertificate, splitDerCertificates } from "./certificate.ts";
import { formatSpiffeId, parseSpiffeId, type SpiffeId, sameSpiffeId } from "./spiffe-id.ts";
import { checkLeaf, checkSigner } from "./x509-svid.ts";

export interface X509Svid {
  readonly id: SpiffeId;
  /** An operator's word for which identity to use where there are several; may be empty. */
  readonly hint: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array;
  readonly notAfter: Date;
}

export interface X509Context {
  /** The first is the default. Empty: this workload has no identity (any more). */
  readonly svids: readonly X509Svid[];
  /** Roots (DER) by trust domain name. A peer is checked against those of its own trust domain only. */
  readonly bundles: ReadonlyMap<string, readonly Uint8Array[]>;
}

export const noX509Context: X509Context = { svids: [], bundles: new Map() };

function unusable(why: string, cause?: unknown): WeftError {
  return new WeftError("WEFT-E205", "the Workload API sent an identity that cannot be used", { why, cause });
}

function checkKey(leafDer: Uint8Array, privateKey: Uint8Array): void {
  try {
    const key = createPrivateKey({ key: Buffer.from(privateKey), format: "der", type: "pkcs8" });
    if (new X509Certificate(leafDer).checkPrivateKey(key)) return;
  } catch (cause) {
    throw unusable("Its private key or certificate cannot be read.", cause);
  }
  throw unusable("Its private key is not that of its certificate.");
}

function readSvid(message: X509SVID): X509Svid {
  const chain = splitDerCertificates(message.x509Svid);
  const [leaf, ...signers] = chain.map(readCertificate);
  if (leaf === undefined) throw unusable("It has no certificate.");
  const id = checkLeaf(leaf);
  if (!sameSpiffeId(id, parseSpiffeId(message.spiffeId)))
    throw unusable(`It is said to be ${message.spiffeId}, and its certificate says ${formatSpiffeId(id)}.`);
  for (const signer of signers) checkSigner(signer);
  checkKey(leaf.der, message.x509SvidKey);
  return { id, hint: message.hint, chain, privateKey: message.x509SvidKey, notAfter: leaf.notAfter };
}

function readBundle(der: Uint8Array, trustDomain: string): readonly Uint8Array[] {
  const roots = splitDerCertificates(der);
  if (roots.length === 0) throw unusable(`The bundle of ${trustDomain} is empty.`);
  return roots.map((root) => readCertificate(root).der);
}

function trustDomainOf(key: string): string {
  const id = parseSpiffeId(key);
  if (id.path === "") return id.trustDomain;
  throw unusable(`${key} is not the ID of a trust domain.`);
}

export function readX509Context(message: X509SVIDResponse): X509Context {
  if (message.svids.length === 0) throw unusable("The message holds no identity.");
  const svids: X509Svid[] = [];
  const bundles = new Map<string, readonly Uint8Array[]>();
  for (const [key, bundle] of Object.entries(message.federatedBundles)) {
    const trustDomain = trustDomainOf(key);
    bundles.set(trustDomain, readBundle(bundle, trustDomain));
  }
  for (const each of message.svids) {
    const svid = readSvid(each);
    bundles.set(svid.id.trustDomain, readBundle(each.bundle, svid.id.trustDomain));
    // Of several with one hint the first is meant.
    if (each.hint === "" || !svids.some((known) => known.hint === each.hint)) svids.push(svid);
  }
  return { svids, bundles };
}
