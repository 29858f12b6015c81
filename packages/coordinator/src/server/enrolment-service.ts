// In: calls on the enrolment port, from anybody. Out: their answers. Signatures are checked here over exactly what was
// sent; who may join or come back is decided in enrolment/. Refusals are one plain sentence.

import { createHash } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import { type EnrolmentServiceServer, JoinProof, ReEntryProof } from "@weft/shared/gen/weft/v1/enrol";
import { isLabel, nodeId } from "@weft/shared/model/ids";
import { toNumber } from "@weft/shared/wire/number";
import { joinContext, reEntryContext } from "@weft/shared/wire/trust-bundle";
import type { EnrolmentDesk } from "../enrolment/enrolment-desk.ts";
import { provesPossession, sha256Hex } from "../enrolment/enrolment-key.ts";
import type { Nonces } from "../enrolment/nonce.ts";
import { type RateLimit, sourceOf } from "../enrolment/rate-limit.ts";
import type { NodeTable } from "../store/store.ts";
import type { BundleSigner } from "../trust/bundle-signer.ts";
import type { Published } from "./bundle-publisher.ts";
import type { Handlers } from "./handlers.ts";
import { svidMessage } from "./minting-desk.ts";
import { sourceAddress } from "./source-address.ts";

export interface EnrolmentServiceParts {
  readonly handlers: Handlers;
  readonly desk: EnrolmentDesk;
  readonly nonces: Nonces;
  readonly limit: RateLimit;
  /** A node of the mesh has this address: strangers on its network must not use up what it may ask. */
  readonly isNodeAddress: (address: string) => boolean;
  readonly nodes: NodeTable;
  readonly signer: Pick<BundleSigner, "signNonce" | "meshId">;
  readonly bundle: () => Published | undefined;
  readonly mesh: string;
  readonly trustDomain: string;
  readonly address: string;
  readonly agentPort: number;
  readonly enrolmentPort: number;
  readonly now: () => Date;
  readonly randomBytes: (count: number) => Uint8Array;
}

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest();

export function enrolmentService(parts: EnrolmentServiceParts): EnrolmentServiceServer {
  const { handlers, desk, nonces, signer, now } = parts;

  const admit = (call: { getPeer(): string }): string => {
    const address = sourceAddress(call.getPeer());
    const source = parts.isNodeAddress(address) ? address : sourceOf(address);
    if (!parts.limit.admits(source, now()))
      throw new WeftError("WEFT-E208", "too many requests from this address; try again in a minute");
    return address;
  };
  const bundle = (): Published => {
    const current = parts.bundle();
    if (current !== undefined) return current;
    throw new WeftError(
      "WEFT-E501",
      "the coordinator has no trust bundle yet: its SPIRE server does not answer",
    );
  };

  return {
    fetchBundle: handlers.unary("FetchBundle", ({ nonce }, call) => {
      admit(call);
      if (nonce.length !== 32) throw new WeftError("WEFT-E003", "the nonce must have 32 bytes");
      const { signed, sequence } = bundle();
      return { bundle: signed, ...signer.signNonce(nonce, now(), sequence) };
    }),

    join: handlers.unary("Join", async (request, call) => {
      const address = admit(call);
      const { token, csr, enrolmentKey, enrolmentProof, agentVersion } = request;
      const proof = JoinProof.encode({
        context: joinContext,
        meshId: signer.meshId,
        tokenHash: sha256(token),
        csrHash: sha256(csr),
      }).finish();
      if (!provesPossession(enrolmentKey, proof, enrolmentProof))
        throw new WeftError("WEFT-E203", "the enrolment key does not prove itself");
      const { signed } = bundle();
      const admission = await desk.join({ token, csrDer: csr, enrolmentKey, address, agentVersion });
      return {
        node: admission.node,
        mesh: parts.mesh,
        meshId: signer.meshId,
        trustDomain: parts.trustDomain,
        svid: svidMessage(nodeId(parts.trustDomain, admission.node), admission.given),
        bundle: signed,
        coordinatorAddress: parts.address,
        agentPort: parts.agentPort,
        enrolmentPort: parts.enrolmentPort,
        enrolmentGeneration: BigInt(admission.generation),
      };
    }),

    // The same answer for every name, so that nobody can ask which nodes there are.
    challenge: handlers.unary("Challenge", ({ node }, call) => {
      admit(call);
      if (!isLabel(node)) throw new WeftError("WEFT-E003", "this is no node name");
      return { nonce: nonces.issue(node, parts.randomBytes(16), now()) };
    }),

    reEnter: handlers.unary("ReEnter", async ({ node, csr, proof, proofSignature }, call) => {
      admit(call);
      const record = isLabel(node) ? parts.nodes.get(node) : undefined;
      const wrong = () => new WeftError("WEFT-E203", "the proof is not one of this node's enrolment key");
      if (record === undefined || !provesPossession(record.enrolmentKey, proof, proofSignature))
        throw wrong();
      const claims = ReEntryProof.decode(proof);
      const fits =
        claims.context === reEntryContext &&
        claims.meshId === signer.meshId &&
        claims.node === node &&
        Buffer.from(claims.csrHash).toString("hex") === sha256Hex(csr);
      if (!fits) throw wrong();
      if (!nonces.isGood(node, claims.nonce, now()))
        throw new WeftError("WEFT-E203", "the challenge was used or has expired; ask for a new one");
      nonces.use(claims.nonce, now());
      const admission = await desk.reEnter(node, toNumber(claims.generation, "generation"), csr);
      return {
        svid: svidMessage(nodeId(parts.trustDomain, node), admission.given),
        bundle: bundle().signed,
        enrolmentGeneration: BigInt(admission.generation),
      };
    }),
  };
}
