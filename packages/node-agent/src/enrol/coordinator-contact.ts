// In: the coordinator's address and what this machine already believes (a pin, or the root key). Out: the checked
// bundle, fetched from somebody not yet authenticated, and a channel to exactly the coordinator, trusting only that
// bundle. Every failure is one plain sentence.
import { createHash, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import tls from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import { EnrolmentServiceClient, type FetchBundleResponse } from "@weft/shared/gen/weft/v1/enrol";
import type { SignedTrustBundle } from "@weft/shared/gen/weft/v1/trust";
import { coordinatorId } from "@weft/shared/model/ids";
import { makeChannelCredentials } from "@weft/shared/spiffe/grpc-credentials";
import { tlsPolicy } from "@weft/shared/spiffe/tls-policy";
import {
  type BundleExpectations,
  type TrustAnchor,
  type VerifiedBundle,
  verifyNonceReply,
  verifySignedBundle,
} from "@weft/shared/wire/trust-bundle";
import { rootsPemOf } from "./trust.ts";
import { unaryCall } from "./unary-call.ts";

export interface CoordinatorAddress {
  readonly address: string;
  readonly port: number;
}

export function targetOf({ address, port }: CoordinatorAddress): string {
  return isIPv6(address) ? `ipv6:[${address}]:${port}` : `ipv4:${address}:${port}`;
}

/** The coordinator is reached by its address and in no other way, whatever proxy the environment names. */
export const directly = { "grpc.enable_http_proxy": 0 };
const answerLimit = { ...directly, "grpc.max_receive_message_length": 1024 * 1024 };

export interface FreshBundle extends VerifiedBundle {
  readonly signed: SignedTrustBundle;
  /** Coordinator's clock minus ours, ms: as the signed answer tells it. */
  readonly clockOffsetMs: number;
}

/** TLS that authenticates nobody: what comes through is believed for its signatures alone. */
function unauthenticatedClient(at: CoordinatorAddress): EnrolmentServiceClient {
  const credentials = grpc.credentials.createFromSecureContext(tls.createSecureContext(tlsPolicy), {
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  return new EnrolmentServiceClient(targetOf(at), credentials, {
    ...answerLimit,
    "grpc.ssl_target_name_override": "weft.invalid",
  });
}

export async function fetchBundle(
  at: CoordinatorAddress,
  anchor: TrustAnchor,
  expected: BundleExpectations,
): Promise<FreshBundle> {
  const client = unauthenticatedClient(at);
  const nonce = randomBytes(32);
  let response: FetchBundleResponse;
  try {
    response = await unaryCall<FetchBundleResponse>((options, done) =>
      client.fetchBundle({ nonce }, new grpc.Metadata(), options, done),
    );
  } finally {
    client.close();
  }
  if (response.bundle === undefined)
    throw new WeftError("WEFT-E200", "the coordinator answered without a trust bundle");
  const verified = verifySignedBundle(response.bundle, anchor, expected);
  const { serverTime } = verifyNonceReply(response, nonce, verified.signingKey);
  return {
    ...verified,
    signed: response.bundle,
    clockOffsetMs: serverTime.getTime() - expected.now.getTime(),
  };
}

/** The enrolment service of exactly the coordinator of this bundle. */
export function enrolmentClient(at: CoordinatorAddress, { bundle }: VerifiedBundle): EnrolmentServiceClient {
  const { credentials, channelOptions } = makeChannelCredentials({
    rootsPem: rootsPemOf(bundle),
    expectId: coordinatorId(bundle.trustDomain),
  });
  return new EnrolmentServiceClient(targetOf(at), credentials, { ...channelOptions, ...answerLimit });
}

export function sha256(bytes: Uint8Array | string): Buffer {
  return createHash("sha256").update(bytes).digest();
}
