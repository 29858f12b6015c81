// In: an X.509 source. Out: options for node:tls and node:https, servers whose certificate is exchanged while they
// run, and the SPIFFE ID of the peer. Both sides always prove themselves; which peer is allowed is decided by its
// exact ID: here for clients, in the handler (peerOfSocket) for servers.
import type {
  ConnectionOptions,
  PeerCertificate,
  SecureContextOptions,
  TLSSocket,
  TlsOptions,
} from "node:tls";
import { isWeftError, WeftError } from "../errors/weft-error.ts";
import { expectPeer, type Peer, readPeer } from "./peer.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";
import { tlsPolicy } from "./tls-policy.ts";
import type { TlsIdentity, X509Source } from "./x509-source.ts";

function contextOptions(identity: TlsIdentity): SecureContextOptions {
  return { ...tlsPolicy, cert: identity.cert, key: identity.key, ca: identity.ca };
}

function identityOf(source: X509Source): TlsIdentity {
  const identity = source.current();
  if (identity !== undefined) return identity;
  throw new WeftError("WEFT-E503", "this process has no identity to show", {
    why: "The Workload API has given it none, or has withdrawn it.",
  });
}

/** For tls.createServer or https.createServer; then keep it current with rotateServer. */
export function serverOptions(source: X509Source): TlsOptions {
  return { ...contextOptions(identityOf(source)), requestCert: true, rejectUnauthorized: true };
}

/** Structural, so that servers of node:tls and node:https, and HTTP/2, will do. */
export interface ExchangeableServer {
  setSecureContext(options: SecureContextOptions): void;
}

/** New connections get the newest identity. Without an identity, every handshake fails. The result ends it. */
export function rotateServer(server: ExchangeableServer, source: X509Source): () => void {
  return source.onChange((identity) =>
    server.setSecureContext(identity === undefined ? tlsPolicy : contextOptions(identity)),
  );
}

/** For one tls.connect or https.request to the server with exactly this ID: take fresh ones for each connection. */
export function clientOptions(source: X509Source, expectId: string): ConnectionOptions {
  parseSpiffeId(expectId);
  return {
    ...contextOptions(identityOf(source)),
    rejectUnauthorized: true,
    checkServerIdentity: (_host: string, certificate: PeerCertificate) => {
      try {
        expectPeer(certificate.raw, expectId);
        return undefined;
      } catch (failure) {
        if (isWeftError(failure)) return failure;
        throw failure;
      }
    },
  };
}

/** What of a TLS socket is needed here. */
export type VerifiedSocket = Pick<TLSSocket, "authorized" | "getPeerCertificate">;

/**
 * The peer of a socket whose handshake is over, if TLS verified its certificate. Throws if that is no SVID.
 * Not by getPeerX509Certificate: on a client's socket each call takes one certificate off the peer's chain (seen
 * with Node 24.21), so that the second one would name the intermediate.
 */
export function peerOfSocket(socket: VerifiedSocket): Peer | undefined {
  const { raw } = socket.authorized ? socket.getPeerCertificate() : {};
  return raw === undefined ? undefined : readPeer(raw);
}

export function peerSpiffeId(socket: VerifiedSocket): SpiffeId | undefined {
  return peerOfSocket(socket)?.id;
}
