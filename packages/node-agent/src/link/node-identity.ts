// In: the files of an enrolled machine. Out: who the node is at this moment: SVID, trust bundle, enrolment; renewed
// through the functions here, each of which has the disk changed before memory.
import * as grpc from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import { AgentServiceClient, type RenewIdentityResponse } from "@weft/shared/gen/weft/v1/agent";
import type { SignedTrustBundle } from "@weft/shared/gen/weft/v1/trust";
import { coordinatorId, nodeId } from "@weft/shared/model/ids";
import { makeCsr } from "@weft/shared/spiffe/csr";
import { makeChannelCredentials } from "@weft/shared/spiffe/grpc-credentials";
import type { TrustBundle } from "@weft/shared/wire/trust-bundle";
import { directly, targetOf } from "../enrol/coordinator-contact.ts";
import { type Enrolment, readEnrolment, writeEnrolment } from "../enrol/enrolment.ts";
import { acceptSvid, type NodeSvid, readNodeSvid, renewalTime, writeNodeSvid } from "../enrol/node-svid.ts";
import { reEnter } from "../enrol/re-enter.ts";
import { keepBundle, readHeldBundle, rootsPemOf } from "../enrol/trust.ts";
import { unaryCall } from "../enrol/unary-call.ts";
import type { Host } from "../host/host.ts";

const channelLimits = {
  ...directly,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.max_receive_message_length": 16 * 1024 * 1024,
  // One channel serves one attempt; waiting between attempts is ours, jittered.
  "grpc.enable_retries": 0,
};

export class NodeIdentity {
  readonly #host: Host;
  readonly #bootId: string;
  #enrolment: Enrolment;
  #svid: NodeSvid | undefined;
  #bundle: TrustBundle | undefined;

  private constructor(host: Host, bootId: string, enrolment: Enrolment) {
    this.#host = host;
    this.#bootId = bootId;
    this.#enrolment = enrolment;
  }

  /** undefined: the machine has not joined. */
  static async load(host: Host, bootId: string): Promise<NodeIdentity | undefined> {
    const enrolment = await readEnrolment(host.files);
    if (enrolment === undefined) return undefined;
    const identity = new NodeIdentity(host, bootId, enrolment);
    identity.#svid = await readNodeSvid(host.files);
    identity.#bundle = await readHeldBundle(host.files, enrolment);
    return identity;
  }

  get enrolment(): Enrolment {
    return this.#enrolment;
  }

  get bundle(): TrustBundle | undefined {
    return this.#bundle;
  }

  get svidExpires(): Date | undefined {
    return this.#svid?.notAfter;
  }

  /** When to renew; at once without an SVID. */
  get renewalDue(): Date {
    return this.#svid === undefined ? new Date(0) : renewalTime(this.#svid);
  }

  get usable(): boolean {
    return (
      this.#svid !== undefined && this.#bundle !== undefined && this.#svid.notAfter > this.#host.clock.now()
    );
  }

  /**
   * A client that shows the SVID of this moment and talks to nobody but the coordinator.
   * @param isFresh it makes a connection of its own, whatever others there are
   */
  client(isFresh = false): AgentServiceClient {
    if (this.#svid === undefined || this.#bundle === undefined)
      throw new WeftError("WEFT-E205", "this node has no SVID to show");
    const { credentials, channelOptions } = makeChannelCredentials({
      rootsPem: rootsPemOf(this.#bundle),
      certChainPem: this.#svid.chainPem,
      keyPem: this.#svid.keyPem,
      expectId: coordinatorId(this.#enrolment.trustDomain),
    });
    const at = { address: this.#enrolment.coordinatorAddress, port: this.#enrolment.agentPort };
    return new AgentServiceClient(targetOf(at), credentials, {
      ...channelOptions,
      ...channelLimits,
      ...(isFresh ? { "grpc.use_local_subchannel_pool": 1 } : {}),
    });
  }

  async takeBundle(signed: SignedTrustBundle): Promise<void> {
    const { files, clock } = this.#host;
    const { bundle, enrolment } = await keepBundle(files, signed, this.#enrolment, clock.now());
    this.#bundle = bundle;
    this.#enrolment = enrolment;
  }

  /** A new key, certified over the authenticated channel. */
  async renew(client: AgentServiceClient, signal: AbortSignal): Promise<void> {
    const spiffeId = nodeId(this.#enrolment.trustDomain, this.#enrolment.node);
    const { csrDer, privateKeyPkcs8Pem } = makeCsr(spiffeId);
    const response = await unaryCall<RenewIdentityResponse>(
      (options, done) =>
        client.renewIdentity({ csr: Buffer.from(csrDer) }, new grpc.Metadata(), options, done),
      signal,
    );
    if (response.bundle !== undefined) await this.takeBundle(response.bundle);
    const svid = acceptSvid(response.svid, {
      spiffeId,
      keyPem: privateKeyPkcs8Pem,
      roots: this.#bundle?.roots ?? [],
      now: this.#host.clock.now(),
    });
    await writeNodeSvid(this.#host.files, svid);
    this.#svid = svid;
  }

  /** The way back after the SVID has expired. */
  async reEnter(signal: AbortSignal): Promise<void> {
    const { enrolment, svid } = await reEnter(this.#host, this.#enrolment, this.#bootId, signal);
    this.#enrolment = enrolment;
    this.#svid = svid;
    this.#bundle = await readHeldBundle(this.#host.files, enrolment);
  }

  /** The coordinator talks to this node: whatever it was dismissed for is over. */
  async readmit(): Promise<void> {
    if (this.#enrolment.dismissed === "") return;
    const readmitted = { ...this.#enrolment, dismissed: "" };
    await writeEnrolment(this.#host.files, readmitted);
    this.#enrolment = readmitted;
  }

  /** The coordinator wants no more of this node: remembered over restarts. */
  async dismiss(reason: string, banEpoch: number): Promise<void> {
    const dismissed = {
      ...this.#enrolment,
      dismissed: reason,
      banEpoch: Math.max(banEpoch, this.#enrolment.banEpoch),
    };
    await writeEnrolment(this.#host.files, dismissed);
    this.#enrolment = dismissed;
  }
}
