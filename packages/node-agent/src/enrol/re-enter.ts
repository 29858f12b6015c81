// In: an enrolled machine whose node SVID has expired. Out: a new SVID, for the enrolment key's signature over a fresh
// challenge. Order against crashes: request on disk, answer, new generation on disk, SVID on disk, request forgotten.
// The coordinator takes the previous generation from the very same request only: after a lost answer, nothing else.
import { sign } from "node:crypto";
import * as grpc from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import { type ChallengeResponse, type ReEnterResponse, ReEntryProof } from "@weft/shared/gen/weft/v1/enrol";
import { nodeId } from "@weft/shared/model/ids";
import { reEntryContext } from "@weft/shared/wire/trust-bundle";
import type { Host } from "../host/host.ts";
import { enrolmentClient, fetchBundle, sha256 } from "./coordinator-contact.ts";
import { type Enrolment, enrolmentKey, writeEnrolment } from "./enrolment.ts";
import { acceptSvid, type NodeSvid, writeNodeSvid } from "./node-svid.ts";
import { forgetPendingRequest, pendingRequest } from "./pending-request.ts";
import { keepBundle } from "./trust.ts";
import { unaryCall } from "./unary-call.ts";

export interface ReEntry {
  readonly enrolment: Enrolment;
  readonly svid: NodeSvid;
}

export async function reEnter(
  host: Host,
  held: Enrolment,
  bootId: string,
  signal?: AbortSignal,
): Promise<ReEntry> {
  const { files, clock } = host;
  const at = { address: held.coordinatorAddress, port: held.enrolmentPort };
  const fresh = await fetchBundle(
    at,
    { rootPublicKey: held.rootPublicKey },
    {
      now: clock.now(),
      meshId: held.meshId,
      lowestSequence: held.bundleSequence,
      lowestBanEpoch: held.banEpoch,
    },
  );
  const { enrolment } = await keepBundle(files, fresh.signed, held, clock.now());
  const spiffeId = nodeId(held.trustDomain, held.node);
  const request = await pendingRequest(files, `re-entry ${held.enrolmentGeneration}`, spiffeId);
  const csr = Buffer.from(request.csrDer);
  const client = enrolmentClient(at, fresh);
  let response: ReEnterResponse;
  try {
    const challenge = await unaryCall<ChallengeResponse>(
      (options, done) => client.challenge({ node: held.node }, new grpc.Metadata(), options, done),
      signal,
    );
    const proof = Buffer.from(
      ReEntryProof.encode({
        context: reEntryContext,
        meshId: held.meshId,
        node: held.node,
        nonce: challenge.nonce,
        csrHash: sha256(csr),
        bootId,
        generation: BigInt(held.enrolmentGeneration),
      }).finish(),
    );
    const proofSignature = sign(null, proof, await enrolmentKey(files));
    response = await unaryCall<ReEnterResponse>(
      (options, done) =>
        client.reEnter({ node: held.node, csr, proof, proofSignature }, new grpc.Metadata(), options, done),
      signal,
    );
  } finally {
    client.close();
  }
  const svid = acceptSvid(response.svid, {
    spiffeId,
    keyPem: request.keyPem,
    roots: fresh.bundle.roots,
    now: clock.now(),
  });
  const generation = Number(response.enrolmentGeneration);
  if (generation <= held.enrolmentGeneration)
    throw new WeftError("WEFT-E203", "the coordinator did not raise the enrolment generation");
  const raised = { ...enrolment, enrolmentGeneration: generation };
  await writeEnrolment(files, raised);
  await writeNodeSvid(files, svid);
  await forgetPendingRequest(files);
  return { enrolment: raised, svid };
}
