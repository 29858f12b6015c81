// In: the leaf certificate of a TLS peer whose chain TLS has verified. Out: who the peer is and until when, or the
// reason to refuse it. Pure. Reads the DER itself: Node's joined subjectaltname string cannot be split safely.
import { WeftError } from "../errors/weft-error.ts";
import { readCertificate } from "./certificate.ts";
import { formatSpiffeId, parseSpiffeId, type SpiffeId, sameSpiffeId } from "./spiffe-id.ts";
import { checkLeaf } from "./x509-svid.ts";

export interface Peer {
  readonly id: SpiffeId;
  /** Until when its certificate is valid: a connection must not outlive it. */
  readonly notAfter: Date;
  /** Hex. */
  readonly serial: string;
}

export function readPeer(der: Uint8Array): Peer {
  const leaf = readCertificate(der);
  return { id: checkLeaf(leaf), notAfter: leaf.notAfter, serial: leaf.serial };
}

/** The peer, if it is exactly the expected one; otherwise WEFT-E202 naming both. */
export function expectPeer(der: Uint8Array, expected: string): Peer {
  const peer = readPeer(der);
  if (sameSpiffeId(peer.id, parseSpiffeId(expected))) return peer;
  throw new WeftError("WEFT-E202", "the peer is not who it should be", {
    why: `It proved to be ${formatSpiffeId(peer.id)}, and ${expected} was expected.`,
  });
}
