// In: certificate, key and roots as PEM. Out: credentials for grpc-js that ask for SPIFFE IDs instead of host names;
// the server's can be exchanged while it runs: new connections see the new ones, open ones go on.
// They extend grpc-js's own ServerCredentials instead of using its experimental certificate providers, because
// those cannot demand TLS 1.3 (and take their two providers in another order than their declaration says).
import tls, { type SecureContextOptions } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { isWeftError, WeftError } from "../errors/weft-error.ts";
import { pemToDers, readCertificate } from "./certificate.ts";
import { expectPeer, type Peer, readPeer } from "./peer.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { tlsPolicy } from "./tls-policy.ts";

// OpenSSL skips a root it cannot read without a word, and then trusts nobody.
function usableRoots(pem: string): string {
  const roots = pemToDers(pem).map(readCertificate);
  if (roots.length === 0) throw new WeftError("WEFT-E205", "there is no root certificate to trust");
  return pem;
}

function usable(options: SecureContextOptions): SecureContextOptions {
  try {
    tls.createSecureContext(options);
    return options;
  } catch (cause) {
    throw new WeftError("WEFT-E205", "the certificate, key or roots cannot be used for TLS", {
      why: "OpenSSL refuses them, or the key is not the certificate's.",
      cause,
    });
  }
}

/** Who connects and says nothing costs memory; Node would bear it for two minutes. */
const handshakeMs = 10_000;

class ExchangeableCredentials extends grpc.ServerCredentials {
  constructor(requireClientCert: boolean, handshakeTimeout: number) {
    const verify = { requestCert: requireClientCert, rejectUnauthorized: requireClientCert };
    super({ ...verify, handshakeTimeout, ...tlsPolicy });
  }

  exchange(options: SecureContextOptions): void {
    this.updateSecureContextOptions(options);
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }
}

/** A server's credentials. Until identity and roots are set, connections are closed at once. */
export class RotatingServerCredentials {
  readonly credentials: grpc.ServerCredentials;
  readonly #exchangeable: ExchangeableCredentials;
  readonly #requireClientCert: boolean;
  #identity: { readonly cert: string; readonly key: string } | undefined;
  #roots: string | undefined;

  constructor(requireClientCert: boolean, handshakeTimeout = handshakeMs) {
    this.#requireClientCert = requireClientCert;
    this.#exchangeable = new ExchangeableCredentials(requireClientCert, handshakeTimeout);
    this.credentials = this.#exchangeable;
  }

  /** @param certChainPem leaf first, then its intermediates */
  setIdentity(certChainPem: string, keyPem: string): void {
    const identity = { cert: certChainPem, key: keyPem };
    this.#exchange(identity, this.#roots);
    this.#identity = identity;
  }

  setRoots(pem: string): void {
    this.#exchange(this.#identity, pem);
    this.#roots = pem;
  }

  // What cannot be used throws here, and what was in use stays.
  #exchange(
    identity: { readonly cert: string; readonly key: string } | undefined,
    roots: string | undefined,
  ): void {
    if (roots !== undefined) usable({ ...tlsPolicy, ca: usableRoots(roots) });
    if (identity !== undefined) usable({ ...tlsPolicy, ...identity });
    if (identity === undefined || (this.#requireClientCert && roots === undefined)) return;
    this.#exchangeable.exchange({ ...tlsPolicy, ...identity, ...(roots === undefined ? {} : { ca: roots }) });
  }
}

export interface ChannelIdentity {
  readonly rootsPem: string;
  /** Left out where the client proves itself in another way (joining). */
  readonly certChainPem?: string;
  readonly keyPem?: string;
  /** The one SPIFFE ID the server may have. */
  readonly expectId: string;
}

export interface ChannelCredentials {
  readonly credentials: grpc.ChannelCredentials;
  /** To be given to the client together with the credentials. */
  readonly channelOptions: grpc.ChannelOptions;
}

/** A channel keeps the certificate it was made with: after a rotation, open a new one. */
export function makeChannelCredentials(identity: ChannelIdentity): ChannelCredentials {
  const context = {
    ...tlsPolicy,
    ca: usableRoots(identity.rootsPem),
    ...(identity.certChainPem === undefined ? {} : { cert: identity.certChainPem }),
    ...(identity.keyPem === undefined ? {} : { key: identity.keyPem }),
  };
  const checkServerIdentity = (_host: string, certificate: tls.PeerCertificate): Error | undefined => {
    try {
      expectPeer(certificate.raw, identity.expectId);
      return undefined;
    } catch (failure) {
      if (isWeftError(failure)) return failure;
      throw failure;
    }
  };
  return {
    credentials: grpc.credentials.createFromSecureContext(tls.createSecureContext(usable(context)), {
      checkServerIdentity,
      // Said although it is the default: an environment variable could turn the default off.
      rejectUnauthorized: true,
    }),
    // Servers are dialled by address, which TLS does not allow as a server name. The name itself decides nothing.
    // And they are dialled directly, whatever proxy the environment names.
    channelOptions: { "grpc.ssl_target_name_override": "weft.invalid", "grpc.enable_http_proxy": 0 },
  };
}

/** What of a server call is needed here: a fake of it is one line. */
export interface AuthenticatedCall {
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Uint8Array } } | null;
}

/**
 * The client at the other end, if it showed a certificate that TLS verified. Throws WEFT-E205 if the certificate
 * breaks the X.509-SVID standard. Reads the certificate anew: take it once per call.
 */
export function peerOfCall(call: AuthenticatedCall): Peer | undefined {
  const certificate = call.getAuthContext()?.sslPeerCertificate;
  return certificate === undefined ? undefined : readPeer(certificate.raw);
}

export function peerIdOfCall(call: AuthenticatedCall): SpiffeId | undefined {
  return peerOfCall(call)?.id;
}
