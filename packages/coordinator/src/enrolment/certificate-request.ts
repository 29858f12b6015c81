// In: a certificate request (DER) and the one SPIFFE ID its sender may have. Out: nothing, or WEFT-E206 saying why
// it is not signed.
import { WeftError } from "@weft/shared/errors/weft-error";
import { readCsr } from "@weft/shared/spiffe/csr";

export function requireExactRequest(csrDer: Uint8Array, spiffeId: string): void {
  const refuse = (why: string) =>
    new WeftError("WEFT-E206", "the certificate request is not what was asked for", { why });
  const request = readCsr(csrDer);
  if (!request.proofOk) throw refuse("it does not prove possession of a P-256 key");
  if (request.uriSans.length !== 1 || request.uriSans[0] !== spiffeId)
    throw refuse(`it must name exactly ${spiffeId}`);
  if (request.otherSansOrExtensions) throw refuse("it asks for more than its SPIFFE ID");
}
