// In: nothing. Out: what every TLS endpoint of Weft has in common, as options for node:tls.
import { constants } from "node:crypto";
import tls, { type SecureContextOptions } from "node:tls";

export const tlsPolicy = {
  minVersion: "TLSv1.3",
  // A bundle may hold an intermediate as its root, when SPIRE has an upstream authority. Only clients heed this:
  // Node drops it when a server's context is exchanged.
  allowPartialTrustChain: true,
  // A resumed session would skip the check of the peer's certificate: each connection makes a full handshake.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions;

/** For main.ts: connections made by libraries, which take no options of ours, are held to TLS 1.3 as well. */
export function requireTls13InProcess(): void {
  tls.DEFAULT_MIN_VERSION = "TLSv1.3";
}
