// In: settings and the edges (store, SPIRE, signer, clock). Out: the whole coordinator, put together, started and
// stopped. Nothing is decided here.
import { Server, type ServerCredentials } from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import { AgentServiceService } from "@weft/shared/gen/weft/v1/agent";
import { ControlServiceService } from "@weft/shared/gen/weft/v1/control";
import { EnrolmentServiceService } from "@weft/shared/gen/weft/v1/enrol";
import { derToPem } from "@weft/shared/spiffe/certificate";
import { RotatingServerCredentials } from "@weft/shared/spiffe/grpc-credentials";
import type { Config } from "../config.ts";
import { Coordinator } from "../coordinator.ts";
import { EnrolmentDesk } from "../enrolment/enrolment-desk.ts";
import { Membership } from "../enrolment/membership.ts";
import { Nonces } from "../enrolment/nonce.ts";
import { RateLimit } from "../enrolment/rate-limit.ts";
import { Fleet } from "../fleet/fleet.ts";
import { GuardReach } from "../fleet/guard-reach.ts";
import { Observations } from "../fleet/observations.ts";
import { ReportKeeper } from "../fleet/report-keeper.ts";
import { guardRisks } from "../guard/guard-risks.ts";
import type { RiskSource } from "../guard/risk.ts";
import type { Logger } from "../logger.ts";
import { flipRisks } from "../replay/flip-risks.ts";
import { BanDesk } from "../rollout/ban-desk.ts";
import { banningCompiler } from "../rollout/banning-compiler.ts";
import { ConditionBoard } from "../rollout/condition-board.ts";
import { listenFrom } from "../rollout/course-word.ts";
import { EntryKeeper } from "../rollout/entry-keeper.ts";
import { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { MeshCompiler } from "../rollout/mesh-compiler.ts";
import { SingleFlight } from "../rollout/single-flight.ts";
import type { SpireServer } from "../spire/spire-server.ts";
import type { Store } from "../store/store.ts";
import type { BundleSigner } from "../trust/bundle-signer.ts";
import { agentService } from "./agent-service.ts";
import { NodeGate } from "./authorise.ts";
import { BundlePublisher, type Published } from "./bundle-publisher.ts";
import { ComponentFiles } from "./component-files.ts";
import { controlService } from "./control-service.ts";
import { dialTcp } from "./dial.ts";
import { Doorkeeper, type DoorLimits } from "./doorkeeper.ts";
import { enrolmentService } from "./enrolment-service.ts";
import { explaining } from "./explaining.ts";
import { Handlers } from "./handlers.ts";
import {
  agentDoor,
  agentLimits,
  bindControl,
  controlLimits,
  enrolmentDoor,
  enrolmentLimits,
  type Listener,
  listenTcp,
  requireAlone,
  shutDown,
} from "./listeners.ts";
import { MintingDesk } from "./minting-desk.ts";
import { OwnIdentity, type SvidFile } from "./own-identity.ts";
import { recallReports } from "./recall-reports.ts";
import { SessionHandler } from "./session-handler.ts";
import { Sessions } from "./sessions.ts";
import { Upkeep } from "./upkeep.ts";

export interface Edges {
  readonly store: Store;
  readonly spire: SpireServer;
  readonly signer: BundleSigner;
  readonly compiler: MeshCompiler;
  readonly svidFile: SvidFile;
  readonly now: () => Date;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly log: Logger;
  readonly version: string;
  /** How often identity, bundle and a running rollout are looked at. */
  readonly tendMs: number;
  /** How often last words are written. */
  readonly flushMs: number;
  readonly reconcileMs: number;
}

export interface RunningDaemon {
  readonly agentPort: number;
  readonly enrolmentPort: number;
  /** Looks at identity, bundle and rollout now, instead of when the time comes. */
  tend(): Promise<void>;
  stop(): Promise<void>;
}

const heartbeatSeconds = 5;
const exchangeSvidSeconds = 300;
const stopGraceMs = 2_000;

export async function startDaemon(config: Config, edges: Edges): Promise<RunningDaemon> {
  const { store, spire, signer, now, randomBytes, log } = edges;
  const compiler = banningCompiler(edges.compiler, store.bans);
  const { trustDomain, svidSeconds } = config;
  const nodes = store.nodes;
  const handlers = new Handlers(log);
  const fleet = new Fleet();
  const sessions = new Sessions();
  const desired = (node: string) => store.desired.get(node);
  const guardReach = new GuardReach({ addressOf: (node) => desired(node)?.address, dial: dialTcp });
  const board = new ConditionBoard(now);
  const reports = new ReportKeeper(store);
  const agentCredentials = new RotatingServerCredentials(true);
  const enrolmentCredentials = new RotatingServerCredentials(false);
  const word = listenFrom(fleet, now);
  const { mesh, hub } = config;
  const observations = new Observations();
  const flips: RiskSource = (change) => flipRisks(observations.all(now()), change);
  const riskSources = [guardRisks, flips];
  const authority = new MeshAuthority({ store, compiler, mesh, trustDomain, riskSources, hub, word, now });
  const explained = explaining({ authority, compiler, store, fleet, sessions, observations, now });

  const published = (bundle: Published) => {
    agentCredentials.setRoots(bundle.roots.map((der) => derToPem(der)).join(""));
    coordinator.published(bundle);
  };
  const publisher = new BundlePublisher({ store, spire, signer, trustDomain, now, published });
  const identity = new OwnIdentity({
    spire,
    trustDomain,
    ttlSeconds: svidSeconds,
    now,
    log,
    file: edges.svidFile,
    present: ({ certChainPem, keyPem }) => {
      agentCredentials.setIdentity(certChainPem, keyPem);
      enrolmentCredentials.setIdentity(certChainPem, keyPem);
    },
  });
  const changed: Coordinator["enrolmentChanged"] = (node, state) => coordinator.enrolmentChanged(node, state);
  const membership = new Membership({ store, spire, trustDomain, now, randomBytes, changed });
  const keeper = new EntryKeeper({ authority, nodes, spire, membership, board, trustDomain, log });
  const reconciling = new SingleFlight(() => keeper.run());
  // Nobody can act on a bug in there but its log line; the next run comes by itself.
  const reconcile = () =>
    reconciling.run().catch((failure: unknown) => log.error("reconciling entries failed", { failure }));
  const coordinator: Coordinator = new Coordinator({
    store,
    authority,
    fleet,
    sessions,
    membership,
    reports,
    board,
    word,
    mesh,
    trustDomain,
    bundle: () => publisher.current,
    ownSvidExpires: () => identity.expires,
    reconcile,
    now,
    log,
  });

  const isNodeAddress = (address: string) =>
    authority.mesh?.nodes.some((node) => node.address === address) === true;
  const gate = new NodeGate(trustDomain, nodes, now);
  const desk = new EnrolmentDesk({ store, spire, trustDomain, nodeSvidSeconds: svidSeconds, now, changed });
  const agents = new Server(agentLimits);
  agents.addService(
    AgentServiceService,
    agentService({
      handlers,
      gate,
      minting: new MintingDesk({
        spire,
        nodes,
        trustDomain,
        nodeSvidSeconds: svidSeconds,
        exchangeSvidSeconds,
      }),
      // A renewal comes twice an hour, a certificate to attest with at a start.
      mintLimit: new RateLimit({ perSecond: 10 / 60, burst: 10, sources: 20_000 }),
      components: new ComponentFiles(config.components),
      sessions: new SessionHandler({
        gate,
        sessions,
        handlers,
        events: coordinator,
        explaining: explained,
        now,
        heartbeatSeconds,
        banEpoch: () => store.bans.epoch(),
      }),
      guardReach,
      bundle: () => publisher.current?.signed,
      leave: (node) => coordinator.leave(node),
      now,
    }),
  );
  const enrolment = new Server(enrolmentLimits);
  enrolment.addService(
    EnrolmentServiceService,
    enrolmentService({
      handlers,
      desk,
      nonces: new Nonces(randomBytes(32)),
      limit: new RateLimit({ perSecond: 5, burst: 30, sources: 10_000 }),
      isNodeAddress,
      nodes,
      signer,
      bundle: () => publisher.current,
      mesh: config.mesh,
      trustDomain,
      address: config.address,
      agentPort: config.agentPort,
      enrolmentPort: config.enrolmentPort,
      now,
      randomBytes,
    }),
  );
  const upkeep = new Upkeep({ identity, publisher, reports, signer, board, now, log });
  const tending = new SingleFlight(() => upkeep.tend());
  const tend = () => {
    coordinator.rollout.look();
    return tending.run().catch((failure: unknown) => log.error("tending the identity failed", { failure }));
  };
  const settle = async () => void (await Promise.all([tend(), reconcile()]));
  const control = new Server(controlLimits);
  control.addService(
    ControlServiceService,
    controlService({
      handlers,
      coordinator,
      explaining: explained,
      bans: new BanDesk({ authority, membership, fleet, store, coordinator, settle }),
      authority,
      fleet,
      store,
      pin: signer.pin,
      address: config.address,
      version: edges.version,
      now,
    }),
  );

  const flush = () =>
    upkeep.flush().catch((failure: unknown) => log.error("keeping the last words failed", { failure }));

  const listeners: Listener[] = [];
  const listen = async (server: Server, port: number, credentials: ServerCredentials, door: DoorLimits) => {
    const at = { address: config.listen ?? config.address, port };
    const listener = await listenTcp(server, at, credentials, new Doorkeeper(door, isNodeAddress));
    listeners.push(listener);
    return listener.port;
  };
  const bindAll = async () => {
    const agentPort = await listen(agents, config.agentPort, agentCredentials.credentials, agentDoor);
    const enrolmentPort = await listen(
      enrolment,
      config.enrolmentPort,
      enrolmentCredentials.credentials,
      enrolmentDoor,
    );
    await bindControl(control, config.controlSocket);
    return { agentPort, enrolmentPort };
  };
  // Each cuts what is left after its grace.
  const closeAll = (graceMs: number) =>
    Promise.all([...listeners.map((listener) => listener.close(graceMs)), shutDown(control, graceMs)]);
  const begin = async () => {
    await requireAlone(config.controlSocket);
    coordinator.start();
    recallReports(store, coordinator, log);
    publisher.load();
    await tend();
    return bindAll();
  };
  const { agentPort, enrolmentPort } = await begin().catch(async (failure: unknown) => {
    await closeAll(0);
    store.close();
    spire.close();
    throw failure;
  });
  const timers = [
    setInterval(() => void tend(), edges.tendMs),
    setInterval(() => void flush(), edges.flushMs),
    setInterval(() => void reconcile(), edges.reconcileMs),
  ];
  void reconcile();
  log.info("coordinator started", { version: edges.version, agentPort, enrolmentPort });

  return {
    agentPort,
    enrolmentPort,
    tend,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      for (const session of sessions.all())
        session.end(new WeftError("WEFT-E500", "the coordinator stops; it will be back"));
      await closeAll(stopGraceMs);
      await flush();
      store.close();
      spire.close();
      log.info("coordinator stopped");
    },
  };
}
