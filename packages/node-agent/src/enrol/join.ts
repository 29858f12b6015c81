// In: the coordinator's address, the pin and a token. Out: an enrolled machine. Two steps of trust: a signed bundle
// checked against the pin, then the coordinator's exact SPIFFE ID by that bundle; only then is the token sent.
// A crash at any point is survived: keys and request are on disk before they are sent, the coordinator answers the same
// request again, and enrolment.json is written last.
import { createPublicKey, sign } from "node:crypto";
import * as grpc from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import { JoinProof, type JoinResponse } from "@weft/shared/gen/weft/v1/enrol";
import { nodeId } from "@weft/shared/model/ids";
import { nodeOfJoinToken } from "@weft/shared/model/join-token";
import { joinContext, pinOf, type TrustBundle, verifySignedBundle } from "@weft/shared/wire/trust-bundle";
import type { Host } from "../host/host.ts";
import { places } from "../state/places.ts";
import {
  type CoordinatorAddress,
  enrolmentClient,
  type FreshBundle,
  fetchBundle,
  sha256,
} from "./coordinator-contact.ts";
import { type Enrolment, enrolmentKey, readEnrolment, writeEnrolment } from "./enrolment.ts";
import { acceptSvid, writeNodeSvid } from "./node-svid.ts";
import { forgetPendingRequest, type PendingRequest, pendingRequest } from "./pending-request.ts";
import { keepBundle } from "./trust.ts";
import { unaryCall } from "./unary-call.ts";

export interface JoinOrder {
  readonly coordinator: CoordinatorAddress;
  readonly pin: string;
  /** Asked for only once the coordinator has proved itself. */
  readonly token: () => Promise<string>;
  readonly agentVersion: string;
  readonly bootId: string;
}

export type JoinOutcome =
  | { readonly kind: "joined"; readonly enrolment: Enrolment }
  | { readonly kind: "already"; readonly enrolment: Enrolment };

export type Narrate = (line: string) => void;

async function alreadyJoined(host: Host, order: JoinOrder): Promise<Enrolment | undefined> {
  const held = await readEnrolment(host.files);
  if (held === undefined) return undefined;
  if (pinOf(held.rootPublicKey) === order.pin) return held;
  throw new WeftError("WEFT-E001", `this machine is already node ${held.node} of mesh ${held.mesh}`, {
    why: "A machine belongs to one mesh, and the pin is another's.",
    hint: "run `weft-node-agent leave` first",
  });
}

async function sendJoin(
  host: Host,
  order: JoinOrder,
  fresh: FreshBundle,
): Promise<[JoinResponse, PendingRequest]> {
  const token = await order.token();
  const node = nodeOfJoinToken(token);
  const key = await enrolmentKey(host.files);
  const request = await pendingRequest(
    host.files,
    `join ${fresh.bundle.meshId} ${node}`,
    nodeId(fresh.bundle.trustDomain, node),
  );
  const csr = Buffer.from(request.csrDer);
  const proof = JoinProof.encode({
    context: joinContext,
    meshId: fresh.bundle.meshId,
    tokenHash: sha256(token),
    csrHash: sha256(csr),
  }).finish();
  const message = {
    token,
    csr,
    enrolmentKey: createPublicKey(key).export({ type: "spki", format: "der" }),
    enrolmentProof: sign(null, proof, key),
    bootId: order.bootId,
    agentVersion: order.agentVersion,
  };
  const client = enrolmentClient(order.coordinator, fresh);
  try {
    const response = await unaryCall<JoinResponse>((options, done) =>
      client.join(message, new grpc.Metadata(), options, done),
    );
    if (response.node !== node)
      throw new WeftError(
        "WEFT-E203",
        `the coordinator answered for node ${response.node}, the token is for ${node}`,
      );
    return [response, request];
  } finally {
    client.close();
  }
}

/** The answer may carry a newer bundle than the one fetched; it is believed for its signatures alone. */
function answeredBundle(response: JoinResponse, fresh: FreshBundle, now: Date): TrustBundle {
  if (response.bundle === undefined) return fresh.bundle;
  const { rootPublicKey, bundle } = fresh;
  const expected = {
    now,
    meshId: bundle.meshId,
    lowestSequence: bundle.sequence,
    lowestBanEpoch: bundle.banEpoch,
  };
  return verifySignedBundle(response.bundle, { rootPublicKey }, expected).bundle;
}

export async function join(host: Host, order: JoinOrder, narrate: Narrate): Promise<JoinOutcome> {
  const held = await alreadyJoined(host, order);
  if (held !== undefined) return { kind: "already", enrolment: held };
  const { files, clock } = host;
  await files.makeDirectory(places.stateRoot, 0o700);
  await files.makeDirectory(places.agent, 0o700);

  const fresh = await fetchBundle(order.coordinator, { pin: order.pin }, { now: clock.now() });
  narrate(`the mesh root matches the pin; trust domain ${fresh.bundle.trustDomain}`);
  const [response, request] = await sendJoin(host, order, fresh);
  narrate(
    `the coordinator proved to be spiffe://${fresh.bundle.trustDomain}/weft/coordinator and took the token`,
  );

  const bundle = answeredBundle(response, fresh, clock.now());
  const svid = acceptSvid(response.svid, {
    spiffeId: nodeId(bundle.trustDomain, response.node),
    keyPem: request.keyPem,
    roots: bundle.roots,
    now: clock.now(),
  });
  await writeNodeSvid(files, svid);
  const enrolment: Enrolment = {
    node: response.node,
    mesh: response.mesh,
    meshId: bundle.meshId,
    trustDomain: bundle.trustDomain,
    coordinatorAddress: response.coordinatorAddress || order.coordinator.address,
    agentPort: response.agentPort,
    enrolmentPort: response.enrolmentPort,
    rootPublicKey: fresh.rootPublicKey,
    bundleSequence: bundle.sequence,
    banEpoch: bundle.banEpoch,
    enrolmentGeneration: Number(response.enrolmentGeneration),
    dismissed: "",
  };
  await keepBundle(files, response.bundle ?? fresh.signed, enrolment, clock.now());
  await writeEnrolment(files, enrolment);
  await forgetPendingRequest(files);
  return { kind: "joined", enrolment };
}
