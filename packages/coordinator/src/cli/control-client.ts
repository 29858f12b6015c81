// In: the path of the control socket. Out: a Control that speaks to the coordinator through it.
import { type ClientReadableStream, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { connectReason } from "@weft/shared/errors/connect-reason";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { ControlServiceClient } from "@weft/shared/gen/weft/v1/control";
import { present, toNumber } from "@weft/shared/wire/number";
import { decodeProblem } from "@weft/shared/wire/problem-codec";
import { refusalIn } from "@weft/shared/wire/rpc-refusal";
import { decodeFleetStatus, decodeNodeStatus } from "@weft/shared/wire/status-codec";
import type { Control } from "./control.ts";
import { decodeReplay } from "./replay-codec.ts";

const deadlineMs = 10_000;
/** Many kernels are asked, and some may be away. */
const whyDeadlineMs = 90_000;
/** A connection that is tried for each of its paths. */
const proveDeadlineMs = 300_000;
/** The coordinator ends a waiting apply by itself; this is for one that hangs. */
const applyGraceMs = 15_000;
/** A mesh file for 5,000 nodes, or the status of as many. */
const maxMessageBytes = 64 * 1024 * 1024;

function unreachable(socketPath: string, failure: ServiceError): WeftError {
  const details = failure.details || messageOf(failure);
  const why = connectReason(details);
  const hint = details.includes("ENOENT")
    ? "run `systemctl status weft-coordinator`; on a machine without a mesh, `weft init` makes one"
    : details.includes("EACCES")
      ? "run this as root or as a member of the group weft"
      : "run `systemctl status weft-coordinator`";
  return new WeftError("WEFT-E500", "the coordinator cannot be reached", {
    why: `${socketPath}: ${why}`,
    hint,
    cause: failure,
  });
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: Date },
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown;

export function connectControl(socketPath: string): Control {
  const client = new ControlServiceClient(`unix://${socketPath}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    // A watch goes on soon after the coordinator is back; trying costs nothing on a unix socket.
    "grpc.initial_reconnect_backoff_ms": 250,
    "grpc.max_reconnect_backoff_ms": 1_000,
  });

  function errorOf(failure: ServiceError): WeftError {
    const refusal = refusalIn(failure);
    if (refusal !== undefined) return refusal;
    if (failure.code === status.UNAVAILABLE) return unreachable(socketPath, failure);
    if (failure.code === status.DEADLINE_EXCEEDED)
      return new WeftError("WEFT-E005", "the coordinator did not answer in time", {
        hint: "read `journalctl -u weft-coordinator`",
        cause: failure,
      });
    return new WeftError("WEFT-E500", "the coordinator failed", {
      why: failure.details || messageOf(failure),
      hint: "read `journalctl -u weft-coordinator`",
      cause: failure,
    });
  }

  function ask<Request, Response>(
    call: Unary<Request, Response>,
    request: Request,
    withinMs = deadlineMs,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      call(request, new Metadata(), { deadline: new Date(Date.now() + withinMs) }, (error, response) => {
        if (error === null) resolve(response);
        else reject(errorOf(error));
      });
    });
  }

  function isServiceError(value: unknown): value is ServiceError {
    return typeof value === "object" && value !== null && "code" in value && "details" in value;
  }

  async function* stream<Message>(
    call: ClientReadableStream<Message>,
    signal: AbortSignal,
  ): AsyncGenerator<Message> {
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for await (const message of call) yield message as Message;
    } catch (failure) {
      // Cancelled by ourselves: the end, not an error.
      if (signal.aborted) return;
      throw isServiceError(failure) ? errorOf(failure) : failure;
    } finally {
      signal.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  return {
    async plan(sources, operator) {
      const response = await ask(client.plan.bind(client), { sources: [...sources], operator });
      return {
        problems: response.problems.map(decodeProblem),
        baseRevision: toNumber(response.baseRevision, "base revision"),
        nodes: response.nodes,
        replay: decodeReplay(response.replay),
        risks: response.risks,
      };
    },
    apply(request, signal) {
      // each probe is a connection that is tried, too
      const graceMs = applyGraceMs + (request.probe ? proveDeadlineMs : 0);
      const deadline = request.wait
        ? { deadline: new Date(Date.now() + request.timeoutSeconds * 1000 + graceMs) }
        : { deadline: new Date(Date.now() + deadlineMs) };
      return stream(client.apply(request, deadline), signal);
    },
    history: () => ask(client.history.bind(client), {}),
    meshFile: async (revision) =>
      (await ask(client.meshFile.bind(client), { revision: BigInt(revision) })).sources,
    async *watchStatus(follow, signal) {
      const options = follow ? {} : { deadline: new Date(Date.now() + deadlineMs) };
      for await (const message of stream(client.watchStatus({ follow, node: "" }, options), signal))
        yield decodeFleetStatus(message);
    },
    async showNode(name) {
      const response = await ask(client.showNode.bind(client), { name });
      return {
        status: decodeNodeStatus(present(response.status, "node status")),
        joined: response.joined,
        enrolmentKeySha256: response.enrolmentKeySha256,
        services: response.services,
      };
    },
    addNode: (request) => ask(client.addNode.bind(client), request),
    removeNode: (name) => ask(client.removeNode.bind(client), { name }),
    banNode: (request) =>
      ask(client.banNode.bind(client), request, request.timeoutSeconds * 1000 + applyGraceMs),
    unbanNode: (request) =>
      ask(client.unbanNode.bind(client), request, request.timeoutSeconds * 1000 + applyGraceMs),
    async why(request) {
      const { paths, leftOut } = await ask(
        client.why.bind(client),
        request,
        request.prove ? proveDeadlineMs : whyDeadlineMs,
      );
      const steps = (path: (typeof paths)[number]) =>
        path.steps.map((step) => ({ ...step, revision: toNumber(step.revision, "revision") }));
      return { leftOut, paths: paths.map((path) => ({ ...path, steps: steps(path) })) };
    },
    async observations(node) {
      const { at, flows, declared, unknown } = await ask(client.observations.bind(client), { node });
      return {
        at: present(at, "time of observations"),
        declared,
        unknown,
        flows: flows.map((flow) => ({
          ...flow,
          source: present(flow.source, "source of a flow"),
          destination: present(flow.destination, "destination of a flow"),
          lastSeen: present(flow.lastSeen, "time of a flow"),
          count: toNumber(flow.count, "count of a flow"),
        })),
      };
    },
    version: async () => (await ask(client.version.bind(client), {})).version,
    close: () => client.close(),
  };
}
