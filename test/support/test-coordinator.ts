// In: a mesh. Out: the whole coordinator on loopback ports, with a test authority in SPIRE's place and everything else
// real, and clients of it as agents and operators are.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { registrationEntries } from "../../packages/coordinator/src/compile/entries.ts";
import { IncrementalCompiler } from "../../packages/coordinator/src/compile/incremental-compiler.ts";
import { parseConfig } from "../../packages/coordinator/src/config.ts";
import type { Logger } from "../../packages/coordinator/src/logger.ts";
import { loadMesh } from "../../packages/coordinator/src/mesh/validate.ts";
import { planChanges } from "../../packages/coordinator/src/plan/changes.ts";
import { type RunningDaemon, startDaemon } from "../../packages/coordinator/src/server/daemon.ts";
import { svidFile } from "../../packages/coordinator/src/server/svid-file.ts";
import { SqliteStore } from "../../packages/coordinator/src/store/sqlite-store.ts";
import { BundleSigner } from "../../packages/coordinator/src/trust/bundle-signer.ts";
import { makeMeshRoot } from "../../packages/coordinator/src/trust/mesh-root.ts";
import { issueOnlineKey, parseOnlineKey } from "../../packages/coordinator/src/trust/online-key.ts";
import { AgentServiceClient } from "../../packages/shared/src/gen/weft/v1/agent.ts";
import {
  type ApplyEvent,
  type ApplyRequest,
  ControlServiceClient,
  type FleetStatus,
} from "../../packages/shared/src/gen/weft/v1/control.ts";
import {
  EnrolmentServiceClient,
  JoinProof,
  type JoinResponse,
} from "../../packages/shared/src/gen/weft/v1/enrol.ts";
import { coordinatorId, nodeId } from "../../packages/shared/src/model/ids.ts";
import { derToPem } from "../../packages/shared/src/spiffe/certificate.ts";
import { makeCsr } from "../../packages/shared/src/spiffe/csr.ts";
import { makeChannelCredentials } from "../../packages/shared/src/spiffe/grpc-credentials.ts";
import { joinContext } from "../../packages/shared/src/wire/trust-bundle.ts";
import { FakeSpire } from "./fake-spire.ts";
import { makeLeaf } from "./test-ca.ts";

export const meshText = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp } }
policies:
  - { name: web-to-api, from: [web], to: api, ports: [http] }
`;

const trustDomain = "mesh.internal";
const meshId = "5f1d7a1c-0000-4000-8000-000000000001";
const quiet: Logger = { info() {}, warn() {}, error() {} };

export interface Identity {
  readonly certChainPem: string;
  readonly keyPem: string;
}

export interface JoinedNode extends Identity {
  readonly name: string;
  readonly enrolmentKey: KeyObject;
  readonly response: JoinResponse;
}

export class TestCoordinator {
  readonly spire = new FakeSpire(trustDomain);
  readonly folder = mkdtempSync(join(tmpdir(), "weft-coordinator-"));
  readonly errors: unknown[] = [];
  readonly meshId = meshId;
  /** Added to the coordinator's clock. */
  skewMs = 0;
  daemon!: RunningDaemon;
  readonly #signer: BundleSigner;
  readonly #clients: grpc.Client[] = [];
  #ports: readonly [number, number] | undefined;

  constructor() {
    const key = issueOnlineKey(makeMeshRoot(), meshId, new Date());
    this.#signer = new BundleSigner(parseOnlineKey(key));
  }

  static async start(): Promise<TestCoordinator> {
    const coordinator = new TestCoordinator();
    await coordinator.start();
    return coordinator;
  }

  get pin(): string {
    return this.#signer.pin;
  }

  get componentsFolder(): string {
    return this.folder;
  }

  get storePath(): string {
    return join(this.folder, "store.db");
  }

  async start(): Promise<void> {
    this.#ports ??= [await freePort(), await freePort()];
    const [agentPort, enrolmentPort] = this.#ports;
    const config = parseConfig(
      JSON.stringify({
        mesh: "shop",
        trustDomain,
        hub: "hub",
        address: "127.0.0.1",
        agentPort,
        enrolmentPort,
        stateDirectory: this.folder,
        controlSocket: join(this.folder, "control.sock"),
        components: this.folder,
      }),
      "test",
    );
    const { compile, digest } = new IncrementalCompiler({
      node: "hub",
      address: config.address,
      agentPort: 7443,
      enrolmentPort: 7444,
      spirePort: 8081,
    });
    this.daemon = await startDaemon(config, {
      store: new SqliteStore(this.storePath),
      spire: this.spire,
      signer: this.#signer,
      compiler: {
        load: (sources) => loadMesh(sources, { coordinatorNode: "hub" }),
        compile,
        digest,
        entries: registrationEntries,
        changes: (before, after) => planChanges(before, after, digest),
      },
      svidFile: svidFile(join(this.folder, "own-svid.pem")),
      now: () => new Date(Date.now() + this.skewMs),
      randomBytes,
      log: { ...quiet, error: (message, fields) => this.errors.push({ message, fields }) },
      version: "test",
      // Done by hand in tests, through tend().
      tendMs: 3_600_000,
      flushMs: 3_600_000,
      reconcileMs: 3_600_000,
    });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.daemon.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get rootsPem(): string {
    return this.spire.roots.map((der) => derToPem(der)).join("");
  }

  #keep<C extends grpc.Client>(client: C): C {
    this.#clients.push(client);
    return client;
  }

  control(): ControlServiceClient {
    const socket = join(this.folder, "control.sock");
    return this.#keep(new ControlServiceClient(`unix:${socket}`, grpc.credentials.createInsecure()));
  }

  enrolment(): EnrolmentServiceClient {
    const { credentials, channelOptions } = makeChannelCredentials({
      rootsPem: this.rootsPem,
      expectId: coordinatorId(trustDomain),
    });
    const target = `127.0.0.1:${this.daemon.enrolmentPort}`;
    return this.#keep(new EnrolmentServiceClient(target, credentials, channelOptions));
  }

  agent(identity: Partial<Identity>, options: grpc.ChannelOptions = {}): AgentServiceClient {
    const { credentials, channelOptions } = makeChannelCredentials({
      rootsPem: this.rootsPem,
      expectId: coordinatorId(trustDomain),
      ...identity,
    });
    const target = `127.0.0.1:${this.daemon.agentPort}`;
    return this.#keep(
      new AgentServiceClient(target, credentials, {
        ...channelOptions,
        "grpc.use_local_subchannel_pool": 1,
        ...options,
      }),
    );
  }

  /** A certificate of the same trust domain, whatever it says. */
  identity(spiffeId: string, wish: { readonly notBefore?: Date; readonly notAfter?: Date } = {}): Identity {
    const leaf = makeLeaf(this.spire.root, spiffeId, wish);
    return { certChainPem: leaf.pem, keyPem: leaf.keyPem };
  }

  apply(text: string, change: Partial<ApplyRequest> = {}): Promise<ApplyEvent[]> {
    const call = this.control().apply({
      sources: [{ name: "mesh.yaml", text }],
      reason: "test",
      claimedBy: "ada",
      baseRevision: 0n,
      wait: false,
      probe: false,
      timeoutSeconds: 10,
      confirmTimeoutSeconds: 0,
      keepEstablished: false,
      atOnce: false,
      restores: 0n,
      acceptRisks: [],
      operator: undefined,
      ...change,
    });
    return new Promise((resolve, reject) => {
      const events: ApplyEvent[] = [];
      call.on("data", (event: ApplyEvent) => events.push(event));
      call.on("error", reject);
      call.on("end", () => resolve(events));
    });
  }

  status(): Promise<FleetStatus> {
    const call = this.control().watchStatus({ follow: false, node: "" });
    return new Promise((resolve, reject) => {
      call.on("data", resolve);
      call.on("error", reject);
    });
  }

  async token(
    name: string,
    change: { readonly ttlSeconds?: number; readonly fromAny?: boolean } = {},
  ): Promise<string> {
    const client = this.control();
    const answer = await unary<{ token: string }>((done) =>
      client.addNode({ name, ttlSeconds: 0, fromAny: true, ...change }, done),
    );
    return answer.token;
  }

  joinRequest(token: string, name: string, enrolmentKey = generateKeyPairSync("ed25519")) {
    const { csrDer, privateKeyPkcs8Pem } = makeCsr(nodeId(trustDomain, name));
    const csr = Buffer.from(csrDer);
    const proof = JoinProof.encode({
      context: joinContext,
      meshId,
      tokenHash: sha256(token),
      csrHash: sha256(csr),
    });
    return {
      keyPem: privateKeyPkcs8Pem,
      enrolmentKey: enrolmentKey.privateKey,
      message: {
        token,
        csr,
        enrolmentKey: enrolmentKey.publicKey.export({ type: "spki", format: "der" }),
        enrolmentProof: sign(null, proof.finish(), enrolmentKey.privateKey),
        bootId: "boot",
        agentVersion: "0.1.0",
      },
    };
  }

  async join(name: string): Promise<JoinedNode> {
    const token = await this.token(name);
    const request = this.joinRequest(token, name);
    const client = this.enrolment();
    const response = await unary<JoinResponse>((done) => client.join(request.message, done));
    const certChainPem = (response.svid?.chain ?? []).map((der) => derToPem(der)).join("");
    return { name, certChainPem, keyPem: request.keyPem, enrolmentKey: request.enrolmentKey, response };
  }
}

/** Asked for beforehand, because the coordinator tells agents its ports. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

export const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest();

export function unary<T>(
  start: (done: (error: grpc.ServiceError | null, response: T) => void) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, response) => (error === null ? resolve(response) : reject(error)));
  });
}
