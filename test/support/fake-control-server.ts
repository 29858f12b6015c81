// In: what the coordinator should answer. Out: a control server on a real unix socket in a folder of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { refusalOf } from "../../packages/coordinator/src/server/refusal.ts";
import {
  type AddNodeResponse,
  ApplyEvent,
  type ApplyRequest,
  ControlServiceService,
  type MeshFileRequest,
  type MeshSource,
  type ObservationsResponse,
  PlanResponse,
  type WhyRequest,
  type WhyResponse,
} from "../../packages/shared/src/gen/weft/v1/control.ts";
import type { BanNodeRequest, BanNodeResponse } from "../../packages/shared/src/gen/weft/v1/guard.ts";
import type { HistoryResponse } from "../../packages/shared/src/gen/weft/v1/rollout.ts";
import type { FleetStatus } from "../../packages/shared/src/model/fleet.ts";
import { encodeFleetStatus, encodeNodeStatus } from "../../packages/shared/src/wire/status-codec.ts";

/** None of these, unless the answer has them. */
type Rare =
  | "replay"
  | "risks"
  | "unneededRisks"
  | "enforcedAt"
  | "sinceGivenMs"
  | "outcome"
  | "times"
  | "frozen"
  | "absent";
type Lenient<T> = Omit<T, Rare> & Partial<Pick<T, Rare & keyof T>>;
type Eased<T> = T extends { $case: infer Case; value: infer Value }
  ? { $case: Case; value: Lenient<Value> }
  : never;
type ApplyCase = Eased<NonNullable<ApplyEvent["event"]>>;

export interface ControlAnswers {
  plan?: Lenient<PlanResponse>;
  apply?: (request: ApplyRequest) => ApplyCase[];
  /** Leaves the apply open after its events. */
  applyHangs?: boolean;
  history?: HistoryResponse;
  meshFile?: (revision: number) => MeshSource[];
  status?: () => FleetStatus[];
  addNode?: (name: string) => AddNodeResponse;
  removeNode?: (name: string) => string[];
  /** Of a ban and its end. */
  banNode?: (request: BanNodeRequest) => BanNodeResponse;
  why?: (request: WhyRequest) => WhyResponse;
  observations?: (node: string) => ObservationsResponse;
}

export interface FakeControlServer {
  readonly socketPath: string;
  stop(): void;
}

function unary<Request, Response>(answer: (request: Request) => Response) {
  return (call: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>) => {
    try {
      done(null, answer(call.request));
    } catch (failure) {
      done(refusalOf(failure));
    }
  };
}

export async function startFakeControlServer(answers: ControlAnswers): Promise<FakeControlServer> {
  const folder = mkdtempSync(join(tmpdir(), "weft-control-"));
  const socketPath = join(folder, "control.sock");
  const server = new Server();
  const needed = <T>(part: T | undefined, name: string): T => {
    if (part === undefined) throw new Error(`this fake has no answer to ${name}`);
    return part;
  };
  server.addService(ControlServiceService, {
    plan: unary(() => PlanResponse.fromPartial(needed(answers.plan, "Plan"))),
    apply(call: ServerWritableStream<ApplyRequest, ApplyEvent>) {
      for (const event of needed(answers.apply, "Apply")(call.request))
        call.write(ApplyEvent.fromPartial({ event }));
      if (answers.applyHangs !== true) call.end();
    },
    history: unary(() => needed(answers.history, "History")),
    meshFile: unary(({ revision }: MeshFileRequest) => ({
      revision,
      sources: needed(answers.meshFile, "MeshFile")(Number(revision)),
    })),
    watchStatus(call: ServerWritableStream<{ follow: boolean }, ReturnType<typeof encodeFleetStatus>>) {
      const fleets = needed(answers.status, "WatchStatus")();
      for (const fleet of call.request.follow ? fleets : fleets.slice(-1))
        call.write(encodeFleetStatus(fleet));
      if (!call.request.follow) call.end();
    },
    showNode: unary(({ name }: { name: string }) => {
      const status = needed(answers.status, "ShowNode")()
        .at(-1)
        ?.nodes.find((node) => node.name === name);
      return {
        status: status === undefined ? undefined : encodeNodeStatus(status),
        joined: undefined,
        enrolmentKeySha256: "aa",
        services: ["web"],
      };
    }),
    addNode: unary(({ name }: { name: string }) => needed(answers.addNode, "AddNode")(name)),
    removeNode: unary(({ name }: { name: string }) => ({
      done: needed(answers.removeNode, "RemoveNode")(name),
    })),
    banNode: unary((request: BanNodeRequest) => needed(answers.banNode, "BanNode")(request)),
    unbanNode: unary((request: BanNodeRequest) => needed(answers.banNode, "UnbanNode")(request)),
    why: unary((request: WhyRequest) => needed(answers.why, "Why")(request)),
    observations: unary(({ node }: { node: string }) => needed(answers.observations, "Observations")(node)),
    version: unary(() => ({ version: "9.9.9" })),
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${socketPath}`, ServerCredentials.createInsecure(), (failure) =>
      failure === null ? resolve() : reject(failure),
    );
  });
  return {
    socketPath,
    stop() {
      server.forceShutdown();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
