// In: the address of a SPIFFE Workload API. Out: this process's X.509 identities and the roots it may trust: once,
// or as a watch that goes on until it is stopped. Each update is the whole state: what it lacks is withdrawn.
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { isAbort } from "../errors/system.ts";
import { isWeftError, messageOf, WeftError } from "../errors/weft-error.ts";
import { SpiffeWorkloadAPIClient, type X509SVIDResponse } from "../gen/third_party/workload.ts";
import { grpcTarget, parseEndpointSocket } from "./endpoint-socket.ts";
import { noX509Context, readX509Context, type X509Context } from "./x509-context.ts";

const backoffStepMs = 1000;
const backoffMaxMs = 30_000;

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Told about every failure, the final one included. */
  readonly onTrouble?: (trouble: WeftError) => void;
  /** Replaced in tests. Resolves when the time is over, rejects when the signal aborts. */
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const pauseOnTimer = async (milliseconds: number, signal: AbortSignal) =>
  await sleep(milliseconds, undefined, { signal });

function connect(address: string): SpiffeWorkloadAPIClient {
  const socket = parseEndpointSocket(address.startsWith("/") ? `unix://${address}` : address);
  return new SpiffeWorkloadAPIClient(grpcTarget(socket), grpc.credentials.createInsecure(), {
    // Retrying is ours: a shared subchannel would add its own, much longer, waits.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
  });
}

/** The standard's header, by which an endpoint tells workloads from confused HTTP clients. */
function securityHeader(waitForReady: boolean): grpc.Metadata {
  const metadata = new grpc.Metadata({ waitForReady });
  metadata.set("workload.spiffe.io", "true");
  return metadata;
}

function statusOf(failure: unknown): grpc.status | undefined {
  return typeof failure === "object" &&
    failure !== null &&
    "code" in failure &&
    typeof failure.code === "number"
    ? failure.code
    : undefined;
}

function describe(failure: unknown, address: string): WeftError {
  if (isWeftError(failure)) return failure;
  switch (statusOf(failure)) {
    case grpc.status.PERMISSION_DENIED:
      return new WeftError("WEFT-E503", "the Workload API has no identity for this process", {
        why: "No registration entry matches its user and unit on this node, or a fresh one has not arrived yet.",
        cause: failure,
      });
    case grpc.status.INVALID_ARGUMENT:
      return new WeftError("WEFT-E503", "the Workload API refuses this client's request", {
        why: `It says: ${messageOf(failure)}.`,
        cause: failure,
      });
    case grpc.status.DEADLINE_EXCEEDED:
      return new WeftError("WEFT-E005", `the Workload API at ${address} did not answer in time`, {
        cause: failure,
      });
    default:
      return new WeftError("WEFT-E503", `the Workload API at ${address} cannot be reached`, {
        why: `${messageOf(failure)}.`,
        hint: "See that the SPIRE agent runs: systemctl status spire-agent.",
        cause: failure,
      });
  }
}

/** One stream, message by message; throws when the stream fails, returns when the endpoint ends it. */
async function* messages(
  address: string,
  signal: AbortSignal,
  deadline?: number,
): AsyncGenerator<X509SVIDResponse> {
  const client = connect(address);
  // With a deadline, a missing endpoint is waited for; without, it is a failure to report.
  const stream = client.fetchX509Svid({}, securityHeader(deadline !== undefined), {
    deadline: deadline ?? Number.POSITIVE_INFINITY,
  });
  // Leaving the loop cancels the call, which then reports its own end once more, to nobody.
  stream.on("error", () => undefined);
  const cancel = () => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    yield* stream as AsyncIterable<X509SVIDResponse>;
  } finally {
    signal.removeEventListener("abort", cancel);
    stream.cancel();
    client.close();
  }
}

/** What of a failure makes a watch stop for good: the request itself is wrong, so that repeating it is no use. */
function isFinal(failure: unknown): boolean {
  const status = statusOf(failure);
  return status === grpc.status.INVALID_ARGUMENT || status === grpc.status.CANCELLED;
}

/**
 * Resolves when the signal aborts; rejects when trying on is no use.
 * @param address unix:///absolute/path, tcp://IP:port, or the bare path of a unix socket
 * @param onUpdate gets the state whenever it changes; one without SVIDs means: stop using those you have
 */
export async function watchX509(
  address: string,
  onUpdate: (context: X509Context) => void,
  options: WatchOptions,
): Promise<void> {
  const { signal, onTrouble = () => undefined, pause = pauseOnTimer } = options;
  let granted = false;
  let failures = 0;

  const receive = (message: X509SVIDResponse) => {
    failures = 0;
    try {
      const context = readX509Context(message);
      granted = true;
      onUpdate(context);
    } catch (failure) {
      // A message that breaks the standard is reported and dropped; what came before stays in use.
      if (!isWeftError(failure)) throw failure;
      onTrouble(failure);
    }
  };

  const fail = (failure: unknown) => {
    const trouble = describe(failure, address);
    failures += 1;
    onTrouble(trouble);
    if (isFinal(failure)) throw trouble;
    if (statusOf(failure) !== grpc.status.PERMISSION_DENIED || !granted) return;
    granted = false;
    onUpdate(noX509Context);
  };

  while (!signal.aborted) {
    const opened = performance.now();
    try {
      for await (const message of messages(address, signal)) receive(message);
    } catch (failure) {
      if (signal.aborted) return;
      // Only what gRPC reports is the endpoint's failing; anything else is an error of ours, or of onUpdate.
      if (statusOf(failure) === undefined) throw failure;
      fail(failure);
    }
    // An ended stream is opened again at once, unless it was open for less than a step: that would be a hot loop.
    const lived = performance.now() - opened;
    const wait = failures === 0 ? backoffStepMs - lived : Math.min(failures * backoffStepMs, backoffMaxMs);
    await pause(Math.max(wait, 0), signal).catch((reason: unknown) => {
      if (!isAbort(reason)) throw reason;
    });
  }
}

/** The state as it is now. Waits for an endpoint that is not there yet, up to the timeout. */
export async function fetchX509Context(address: string, timeoutMs: number): Promise<X509Context> {
  const deadline = Date.now() + timeoutMs;
  try {
    for await (const message of messages(address, new AbortController().signal, deadline))
      return readX509Context(message);
  } catch (failure) {
    throw statusOf(failure) === undefined ? failure : describe(failure, address);
  }
  throw new WeftError("WEFT-E503", `the Workload API at ${address} ended without an answer`);
}
