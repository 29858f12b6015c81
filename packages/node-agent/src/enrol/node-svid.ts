// In: the node SVID's file: a private key and its chain. Out: both as PEM with the times that matter. The key was made
// on this machine and has never left it.
import { createPrivateKey, createPublicKey } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { X509Svid } from "@weft/shared/gen/weft/v1/trust";
import { derToPem, pemToDers, readCertificate } from "@weft/shared/spiffe/certificate";
import { formatSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { verifyX509Svid } from "@weft/shared/spiffe/x509-svid";
import type { Files } from "../host/host.ts";
import { places } from "../state/places.ts";

export interface NodeSvid {
  readonly keyPem: string;
  readonly chainPem: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Renewed from here on: half of its life is over. */
export function renewalTime(svid: Pick<NodeSvid, "notBefore" | "notAfter">): Date {
  return new Date((svid.notBefore.getTime() + svid.notAfter.getTime()) / 2);
}

function nodeSvidOf(keyPem: string, chainPem: string): NodeSvid {
  const [leaf] = pemToDers(chainPem);
  if (leaf === undefined) throw new WeftError("WEFT-E205", "the node's SVID holds no certificate");
  const { notBefore, notAfter } = readCertificate(leaf);
  return { keyPem, chainPem, notBefore, notAfter };
}

export interface SvidExpectation {
  readonly spiffeId: string;
  readonly keyPem: string;
  readonly roots: readonly Uint8Array[];
  readonly now: Date;
}

/** What the coordinator answered, believed only if it is for our key, our ID, and chains to the bundle. */
export function acceptSvid(message: X509Svid | undefined, expected: SvidExpectation): NodeSvid {
  const wrong = (why: string): WeftError =>
    new WeftError("WEFT-E205", "the coordinator answered with a certificate that was not asked for", { why });
  const leaf = message?.chain[0];
  if (message === undefined || leaf === undefined) throw wrong("There is none in the answer.");
  const id = formatSpiffeId(verifyX509Svid(message.chain, expected.roots, expected.now));
  if (id !== expected.spiffeId) throw wrong(`It is for ${id}.`);
  const ours = createPublicKey(createPrivateKey(expected.keyPem)).export({ type: "spki", format: "der" });
  if (!ours.equals(readCertificate(leaf).publicKeyDer)) throw wrong("It is for another key.");
  return nodeSvidOf(expected.keyPem, message.chain.map((der) => derToPem(der)).join(""));
}

export async function readNodeSvid(files: Files): Promise<NodeSvid | undefined> {
  const text = await files.readText(places.nodeSvid);
  if (text === undefined) return undefined;
  const chainStart = text.indexOf("-----BEGIN CERTIFICATE-----");
  if (chainStart < 1) throw new WeftError("WEFT-E003", `${places.nodeSvid} is damaged`);
  return nodeSvidOf(text.slice(0, chainStart), text.slice(chainStart));
}

export async function writeNodeSvid(files: Files, svid: NodeSvid): Promise<void> {
  await files.write(places.nodeSvid, svid.keyPem + svid.chainPem, { mode: 0o600 });
}
