// In: a certificate chain from a peer, the roots of its trust domain, the time. Out: the SPIFFE ID it proves, or
// WEFT-E205 with the rule that is broken. Pure; signatures by node:crypto. Follows the X.509-SVID standard and
// RFC 5280 as far as SPIFFE uses it. TLS checks the chain too; this is for what TLS does not look at, and for
// certificates that did not come by TLS.
import { X509Certificate } from "node:crypto";
import { isWeftError, WeftError } from "../errors/weft-error.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { oids, strongSignatures } from "./oids.ts";
import { formatSpiffeId, parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** Bounds the search through chains a peer makes up. */
const maxChainLength = 8;

function broken(why: string): WeftError {
  return new WeftError("WEFT-E205", "the certificate is not a valid X.509-SVID", { why });
}

function idOf(certificate: Certificate): SpiffeId {
  const [uri, second] = certificate.uriSans;
  if (uri === undefined) throw broken("It has no URI name.");
  if (second !== undefined) throw broken("It has more than one URI name.");
  return parseSpiffeId(uri);
}

/** The rules for a leaf that need no other certificate: exact shape, and the ID it claims. */
export function checkLeaf(leaf: Certificate): SpiffeId {
  const id = idOf(leaf);
  if (id.path === "") throw broken("Its SPIFFE ID has no path, as only signing certificates may.");
  if (leaf.isCa) throw broken("It is a CA certificate.");
  const usage = leaf.keyUsage;
  if (usage === undefined) throw broken("It has no key usage.");
  if (!usage.critical) throw broken("Its key usage is not marked critical.");
  if (usage.keyCertSign) throw broken("Its key may sign certificates.");
  if (usage.crlSign) throw broken("Its key may sign revocation lists.");
  if (!usage.digitalSignature) throw broken("Its key may not make digital signatures.");
  const extended = leaf.extendedKeyUsage;
  if (extended !== undefined && !(extended.includes(oids.serverAuth) && extended.includes(oids.clientAuth)))
    throw broken("Its extended key usage lacks serverAuth or clientAuth.");
  refuseUnknownCritical(leaf);
  return id;
}

function refuseUnknownCritical(certificate: Certificate): void {
  const unknown = certificate.unknownCritical[0];
  if (unknown !== undefined)
    throw broken(`It has the critical extension ${unknown}, which is not understood.`);
}

/** The rules for a signing certificate that need no other certificate. */
export function checkSigner(signer: Certificate): void {
  if (!signer.isCa) throw broken("A signing certificate is not a CA certificate.");
  if (signer.keyUsage?.keyCertSign !== true)
    throw broken("A signing certificate's key may not sign certificates.");
  // Other URI names are an upstream CA's own business.
  const ids = signer.uriSans.filter((uri) => uri.startsWith("spiffe:"));
  if (ids.some((uri) => parseSpiffeId(uri).path !== ""))
    throw broken("A signing certificate has a SPIFFE ID with a path.");
  refuseUnknownCritical(signer);
}

function checkDates(certificate: Certificate, now: Date): void {
  if (now < certificate.notBefore)
    throw broken(`It is valid only from ${certificate.notBefore.toISOString()}.`);
  if (now > certificate.notAfter) throw broken(`It expired at ${certificate.notAfter.toISOString()}.`);
}

// RFC 5280 4.2.1.10: a host, or ".domain" for everything below it.
function hostMatches(host: string, constraint: string): boolean {
  const wanted = constraint.toLowerCase();
  return wanted.startsWith(".") ? host.endsWith(wanted) && host !== wanted : host === wanted;
}

function checkNameConstraints(leaf: Certificate, id: SpiffeId, signer: Certificate): void {
  const constraints = signer.nameConstraints;
  if (constraints === undefined) return;
  const { permittedUriHosts: permitted, excludedUriHosts: excluded } = constraints;
  const within = (hosts: readonly string[]) => hosts.some((host) => hostMatches(id.trustDomain, host));
  if ((permitted.length > 0 && !within(permitted)) || within(excluded))
    throw broken(`A signing certificate may not sign for the trust domain ${id.trustDomain}.`);
  if (constraints.otherKinds && leaf.otherSans)
    throw broken("A signing certificate constrains names of a kind the leaf has, which cannot be checked.");
}

function openSslForm(certificate: Certificate): X509Certificate {
  try {
    return new X509Certificate(certificate.der);
  } catch (cause) {
    throw new WeftError("WEFT-E205", "the certificate is malformed", {
      why: "OpenSSL cannot read it.",
      cause,
    });
  }
}

function signedBy(certificate: Certificate, signer: Certificate): boolean {
  if (!Buffer.from(certificate.issuerDer).equals(signer.subjectDer)) return false;
  return openSslForm(certificate).verify(openSslForm(signer).publicKey);
}

interface Search {
  readonly leaf: Certificate;
  readonly id: SpiffeId;
  readonly intermediates: readonly Certificate[];
  readonly roots: readonly Certificate[];
  readonly now: Date;
}

/** Why signer may not stand above path, though its signature is right. */
function objection(search: Search, path: readonly Certificate[], signer: Certificate): WeftError | undefined {
  try {
    checkSigner(signer);
    checkDates(signer, search.now);
    checkNameConstraints(search.leaf, search.id, signer);
    // The leaf does not count. (RFC 5280 would not count self-issued certificates either; SPIFFE chains have none.)
    if (signer.pathLength !== undefined && path.length - 1 > signer.pathLength)
      throw broken("The chain is longer than a signing certificate allows.");
    return undefined;
  } catch (failure) {
    if (isWeftError(failure)) return failure;
    throw failure;
  }
}

/**
 * Whether path (leaf first) can be led to a root. Several roots may carry one name (a CA being rotated), so every
 * candidate is tried; why one failed is kept for the message.
 */
function reachesRoot(search: Search, path: readonly Certificate[], failures: WeftError[]): boolean {
  const last = path.at(-1);
  if (last === undefined || path.length > maxChainLength) return false;
  const algorithm = last.signatureAlgorithm;
  if (!strongSignatures.has(algorithm))
    throw broken(`It is signed with the algorithm ${algorithm}, which is too weak.`);
  const candidates = [...search.roots, ...search.intermediates.filter((next) => !path.includes(next))];
  return candidates.some((signer) => {
    if (!signedBy(last, signer)) return false;
    const failure = objection(search, path, signer);
    if (failure !== undefined) {
      failures.push(failure);
      return false;
    }
    return search.roots.includes(signer) || reachesRoot(search, [...path, signer], failures);
  });
}

/**
 * @param chain the peer's certificates, leaf first
 * @param roots the bundle of the leaf's own trust domain, and of no other
 */
export function verifyX509Svid(
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
  now: Date,
): SpiffeId {
  const [leaf, ...intermediates] = chain.map(readCertificate);
  if (leaf === undefined) throw broken("There is no certificate.");
  if (chain.length > maxChainLength) throw broken(`There are more than ${maxChainLength} certificates.`);
  const id = checkLeaf(leaf);
  for (const signer of intermediates) checkSigner(signer);
  checkDates(leaf, now);
  const failures: WeftError[] = [];
  const search = { leaf, id, intermediates, roots: roots.map(readCertificate), now };
  if (reachesRoot(search, [leaf], failures)) return id;
  throw failures.at(-1) ?? broken(`No root of ${formatSpiffeId({ ...id, path: "" })} has signed it.`);
}
