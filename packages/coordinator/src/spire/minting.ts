// In: a certificate request before it is sent, the chain that came back. Out: nothing, or the reason to stop. Pure.
// The SPIRE server mints whatever names a request asks for, so what may be asked is decided here.
import { WeftError } from "@weft/shared/errors/weft-error";
import { type Certificate, readCertificate } from "@weft/shared/spiffe/certificate";
import { readCsr } from "@weft/shared/spiffe/csr";
import { formatSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { verifyX509Svid } from "@weft/shared/spiffe/x509-svid";

/** Returns the request's public key (SubjectPublicKeyInfo, DER). */
export function checkCsr(csrDer: Uint8Array, spiffeId: string): Uint8Array {
  const refuse = (why: string) =>
    new WeftError("WEFT-E206", `the certificate request is not one for ${spiffeId}`, { why });
  const csr = readCsr(csrDer);
  if (!csr.proofOk) throw refuse("It does not prove possession of its key.");
  if (csr.uriSans.length !== 1 || csr.uriSans[0] !== spiffeId)
    throw refuse("It must hold exactly that one URI name.");
  if (csr.otherSansOrExtensions) throw refuse("It asks for more than that one URI name.");
  return csr.publicKeyDer;
}

export interface Expected {
  readonly spiffeId: string;
  readonly publicKeyDer: Uint8Array;
  readonly roots: readonly Uint8Array[];
  readonly now: Date;
}

/** Returns the leaf. */
export function checkMinted(chain: readonly Uint8Array[], expected: Expected): Certificate {
  const refuse = (why: string) =>
    new WeftError("WEFT-E501", "the SPIRE server minted something else than was asked for", {
      why,
      hint: "stop the spire-server unit and find out who controls it",
    });
  const id = verifyX509Svid(chain, expected.roots, expected.now);
  const [leafDer] = chain;
  if (leafDer === undefined) throw refuse("The answer holds no certificate.");
  const leaf = readCertificate(leafDer);
  if (formatSpiffeId(id) !== expected.spiffeId) throw refuse(`The certificate is for ${formatSpiffeId(id)}.`);
  if (leaf.otherSans) throw refuse("The certificate holds names of other kinds.");
  if (!Buffer.from(leaf.publicKeyDer).equals(expected.publicKeyDer))
    throw refuse("The certificate is for another key.");
  return leaf;
}
