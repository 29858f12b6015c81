// The coordinator's two ports on loopback, with real TLS, real certificates and real signatures, and as little behind
// them as a node can notice. What a test wants to go wrong is a switch.
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import * as grpc from "@grpc/grpc-js";
import {
  type AgentMessage,
  AgentServiceService,
  type CoordinatorMessage,
  type Hello,
} from "../../packages/shared/src/gen/weft/v1/agent.ts";
import {
  EnrolmentServiceService,
  JoinProof,
  type JoinRequest,
  type JoinResponse,
  ReEntryProof,
} from "../../packages/shared/src/gen/weft/v1/enrol.ts";
import type { SignedTrustBundle, X509Svid } from "../../packages/shared/src/gen/weft/v1/trust.ts";
import { coordinatorId, exchangeId, nodeId } from "../../packages/shared/src/model/ids.ts";
import { readCsr } from "../../packages/shared/src/spiffe/csr.ts";
import { RotatingServerCredentials } from "../../packages/shared/src/spiffe/grpc-credentials.ts";
import { encodeNonceReply, encodeSigningKey } from "../../packages/shared/src/wire/signed-parts.ts";
import { encodeTrustBundle, pinOf } from "../../packages/shared/src/wire/trust-bundle.ts";
import { type Issued, makeLeaf, makeRoot } from "./test-ca.ts";

export const trustDomain = "mesh.test";
const meshId = "3f0e";

interface TokenState {
  readonly node: string;
  readonly expires: Date;
  key?: string;
}

type SessionStream = grpc.ServerDuplexStream<AgentMessage, CoordinatorMessage>;

function refuse(code: grpc.status, sentence: string) {
  return { code, details: sentence, name: "refusal", message: sentence };
}

export class FakeCoordinator {
  readonly root: Issued = makeRoot(trustDomain);
  readonly #meshRoot = generateKeyPairSync("ed25519");
  readonly #signing = generateKeyPairSync("ed25519");
  readonly #servers: grpc.Server[] = [];
  readonly tokens = new Map<string, TokenState>();
  readonly joinRequests: JoinRequest[] = [];
  readonly streams: SessionStream[] = [];
  readonly hellos: Hello[] = [];
  readonly messages: AgentMessage[] = [];
  /** Beginnings and ends of streams in their order, each with the serial number of the agent's certificate. */
  readonly streamEvents: { readonly event: "start" | "end"; readonly serial: string }[] = [];
  readonly enrolmentKeys = new Map<string, KeyObject>();
  readonly generations = new Map<
    string,
    { generation: number; csrHash: string; svid: X509Svid | undefined }
  >();
  sequence = 5;
  svidLifeMs = 3_600_000;
  serverId = coordinatorId(trustDomain);
  /** The next answer is lost on the way: done here, never told. */
  loseNextAnswer = false;
  welcomes = true;
  renewals = 0;
  enrolmentPort = 0;
  agentPort = 0;

  get pin(): string {
    return pinOf(this.#meshRoot.publicKey.export({ type: "spki", format: "der" }));
  }

  signedBundle(): SignedTrustBundle {
    const now = Date.now();
    const signingKey = Buffer.from(
      encodeSigningKey({
        meshId,
        publicKey: this.#signing.publicKey.export({ type: "spki", format: "der" }),
        notBefore: new Date(now - 60_000),
        notAfter: new Date(now + 86_400_000),
      }),
    );
    const bundle = Buffer.from(
      encodeTrustBundle({
        meshId,
        trustDomain,
        sequence: this.sequence,
        issued: new Date(now),
        expires: new Date(now + 86_400_000),
        roots: [this.root.der],
        revokedAuthorityIds: [],
        banEpoch: 0,
        bannedNodes: [],
      }),
    );
    return {
      bundle,
      bundleSignature: sign(null, bundle, this.#signing.privateKey),
      signingKey,
      signingKeySignature: sign(null, signingKey, this.#meshRoot.privateKey),
      rootPublicKey: this.#meshRoot.publicKey.export({ type: "spki", format: "der" }),
    };
  }

  svidFor(csr: Buffer, spiffeId: string, lifeMs = this.svidLifeMs): X509Svid {
    const publicKey = createPublicKey({
      key: Buffer.from(readCsr(csr).publicKeyDer),
      format: "der",
      type: "spki",
    });
    const keys = { publicKey, privateKey: this.root.keys.privateKey };
    const now = Date.now();
    const leaf = makeLeaf(this.root, spiffeId, {
      keys,
      notBefore: new Date(now - Math.min(50_000, lifeMs)),
      notAfter: new Date(now + lifeMs),
    });
    return { spiffeId, chain: [Buffer.from(leaf.der)], expires: new Date(now + lifeMs) };
  }

  #credentials(requireClient: boolean): grpc.ServerCredentials {
    const own = makeLeaf(this.root, this.serverId);
    const rotating = new RotatingServerCredentials(requireClient);
    rotating.setIdentity(own.pem, own.keyPem);
    rotating.setRoots(this.root.pem);
    return rotating.credentials;
  }

  async start(ports: { enrolment: number; agent: number } = { enrolment: 0, agent: 0 }): Promise<void> {
    const listen = async (server: grpc.Server, port: number, requireClient: boolean) => {
      this.#servers.push(server);
      return await new Promise<number>((resolve, reject) =>
        server.bindAsync(`127.0.0.1:${port}`, this.#credentials(requireClient), (failure, bound) =>
          failure === null ? resolve(bound) : reject(failure),
        ),
      );
    };
    const enrolment = new grpc.Server();
    enrolment.addService(EnrolmentServiceService, this.#enrolment());
    this.enrolmentPort = await listen(enrolment, ports.enrolment, false);
    const agents = new grpc.Server();
    agents.addService(AgentServiceService, this.#agents());
    this.agentPort = await listen(agents, ports.agent, true);
  }

  stop(): void {
    for (const server of this.#servers.splice(0)) server.forceShutdown();
  }

  /** Dead and back on the same ports. */
  async restart(): Promise<void> {
    this.stop();
    await this.start({ enrolment: this.enrolmentPort, agent: this.agentPort });
  }

  #lost<T>(answer: () => T, done: (failure: ReturnType<typeof refuse> | null, value?: T) => void): void {
    const value = answer();
    const isLost = this.loseNextAnswer;
    this.loseNextAnswer = false;
    if (isLost) done(refuse(grpc.status.UNAVAILABLE, "connection lost"));
    else done(null, value);
  }

  #enrolment(): grpc.UntypedServiceImplementation {
    const service: import("../../packages/shared/src/gen/weft/v1/enrol.ts").EnrolmentServiceServer = {
      fetchBundle: ({ request }, done) => {
        const reply = { nonce: request.nonce, serverTime: new Date(), sequence: this.sequence };
        const nonceReply = Buffer.from(encodeNonceReply(reply));
        const nonceSignature = sign(null, nonceReply, this.#signing.privateKey);
        done(null, { bundle: this.signedBundle(), nonceReply, nonceSignature });
      },
      join: ({ request }, done) => {
        this.joinRequests.push(request);
        const token = this.tokens.get(request.token);
        const key = createPublicKey({ key: request.enrolmentKey, format: "der", type: "spki" });
        const hash = (bytes: Buffer | string) => createHash("sha256").update(bytes).digest();
        const proof = JoinProof.encode({
          context: "weft/v1 join",
          meshId,
          tokenHash: hash(request.token),
          csrHash: hash(request.csr),
        }).finish();
        const refused = (sentence: string) =>
          done(refuse(grpc.status.UNAUTHENTICATED, `${sentence} (WEFT-E201)`));
        if (!verify(null, proof, key, request.enrolmentProof)) return refused("the proof is wrong");
        if (token === undefined) return refused("this join token is not known here");
        if (token.expires < new Date()) return refused("this join token has expired");
        const fingerprint = hash(request.enrolmentKey).toString("hex");
        token.key ??= fingerprint;
        if (token.key !== fingerprint) return refused("this join token has been used");
        this.enrolmentKeys.set(token.node, key);
        this.#lost<JoinResponse>(
          () => ({
            node: token.node,
            mesh: "shop",
            meshId,
            trustDomain,
            svid: this.svidFor(request.csr, nodeId(trustDomain, token.node)),
            bundle: this.signedBundle(),
            coordinatorAddress: "127.0.0.1",
            agentPort: this.agentPort,
            enrolmentPort: this.enrolmentPort,
            enrolmentGeneration: 1n,
          }),
          done,
        );
      },
      challenge: (_call, done) => done(null, { nonce: Buffer.alloc(32, 7) }),
      reEnter: ({ request }, done) => {
        const key = this.enrolmentKeys.get(request.node);
        const proof = ReEntryProof.decode(request.proof);
        const csrHash = createHash("sha256").update(request.csr).digest("hex");
        const held = this.generations.get(request.node) ?? { generation: 1, csrHash: "", svid: undefined };
        const refused = (sentence: string) =>
          done(refuse(grpc.status.FAILED_PRECONDITION, `${sentence} (WEFT-E204)`));
        if (key === undefined || !verify(null, request.proof, key, request.proofSignature))
          return refused("the proof is wrong");
        const isReplay = Number(proof.generation) === held.generation - 1 && csrHash === held.csrHash;
        if (!isReplay && Number(proof.generation) !== held.generation)
          return refused("the node is suspended");
        const svid = isReplay ? held.svid : this.svidFor(request.csr, nodeId(trustDomain, request.node));
        const generation = isReplay ? held.generation : held.generation + 1;
        this.generations.set(request.node, { generation, csrHash, svid });
        this.#lost(
          () => ({ svid, bundle: this.signedBundle(), enrolmentGeneration: BigInt(generation) }),
          done,
        );
      },
    };
    return service as grpc.UntypedServiceImplementation;
  }

  #agents(): grpc.UntypedServiceImplementation {
    const service: import("../../packages/shared/src/gen/weft/v1/agent.ts").AgentServiceServer = {
      session: (stream) => {
        this.streams.push(stream);
        const certificate = stream.getAuthContext().sslPeerCertificate;
        const serial = (certificate as { serialNumber?: string } | undefined)?.serialNumber ?? "";
        this.streamEvents.push({ event: "start", serial });
        let ended = false;
        const end = () => {
          if (!ended) this.streamEvents.push({ event: "end", serial });
          ended = true;
        };
        // Whichever comes first: the agent ends, cancels or is gone.
        for (const event of ["end", "cancelled", "close"]) stream.on(event, end);
        stream.on("error", () => {});
        stream.on("data", (message: AgentMessage) => {
          if (message.message?.$case === "hello") {
            this.hellos.push(message.message.value);
            if (this.welcomes)
              stream.write({
                message: { $case: "welcome", value: { serverTime: new Date(), heartbeatSeconds: 1 } },
              });
          } else this.messages.push(message);
        });
        stream.on("end", () => stream.end());
      },
      renewIdentity: (call, done) => {
        this.renewals += 1;
        const svid = this.svidFor(call.request.csr, nodeId(trustDomain, "web1"));
        this.#lost(() => ({ svid, bundle: this.signedBundle() }), done);
      },
      mintExchange: ({ request }, done) =>
        done(null, { svid: this.svidFor(request.csr, exchangeId(trustDomain, "web1"), 300_000) }),
      fetchComponent: (stream) => stream.end(),
      probe: ({ request }, done) => done(null, { nonce: request.nonce, serverTime: new Date() }),
      probeBack: (_call, done) => done(null, { ports: [] }),
      leave: (_call, done) => done(null, {}),
    };
    return service as grpc.UntypedServiceImplementation;
  }
}
