// In: a client of the coordinator. Out: what else the node asks it for: a SPIRE exchange SVID on a fresh key, the bytes
// of a component, and its farewell.
import * as grpc from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import type {
  AgentServiceClient,
  FetchComponentRequest,
  FetchComponentResponse,
  LeaveResponse,
  MintExchangeResponse,
} from "@weft/shared/gen/weft/v1/agent";
import { exchangeId } from "@weft/shared/model/ids";
import { makeCsr } from "@weft/shared/spiffe/csr";
import { acceptSvid, type NodeSvid } from "../enrol/node-svid.ts";
import { errorOfCall, unaryCall } from "../enrol/unary-call.ts";

export interface ExchangeAsk {
  readonly trustDomain: string;
  readonly node: string;
  readonly roots: readonly Uint8Array[];
  readonly now: Date;
}

export async function mintExchange(
  client: AgentServiceClient,
  ask: ExchangeAsk,
  signal: AbortSignal,
): Promise<NodeSvid> {
  const spiffeId = exchangeId(ask.trustDomain, ask.node);
  const { csrDer, privateKeyPkcs8Pem } = makeCsr(spiffeId);
  const response = await unaryCall<MintExchangeResponse>(
    (options, done) => client.mintExchange({ csr: Buffer.from(csrDer) }, new grpc.Metadata(), options, done),
    signal,
  );
  const { roots, now } = ask;
  return acceptSvid(response.svid, { spiffeId, keyPem: privateKeyPkcs8Pem, roots, now });
}

const componentDeadlineMs = 10 * 60_000;

/** The component's bytes in order; the caller hashes them and believes the hash of its own release only. */
export async function* fetchComponentBytes(
  client: AgentServiceClient,
  request: FetchComponentRequest,
  signal: AbortSignal,
): AsyncGenerator<{ readonly data: Uint8Array; readonly totalBytes: number }> {
  const call = client.fetchComponent(request, new grpc.Metadata(), {
    deadline: Date.now() + componentDeadlineMs,
  });
  const onAbort = () => call.cancel();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const part of call as AsyncIterable<FetchComponentResponse>)
      yield { data: part.data, totalBytes: Number(part.totalBytes) };
  } catch (failure) {
    signal.throwIfAborted();
    if (isServiceError(failure)) throw errorOfCall(failure);
    throw failure;
  } finally {
    signal.removeEventListener("abort", onAbort);
    call.cancel();
  }
}

function isServiceError(value: unknown): value is grpc.ServiceError {
  return (
    typeof value === "object" && value !== null && "details" in value && typeof value.details === "string"
  );
}

export async function sayFarewell(client: AgentServiceClient, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new WeftError("WEFT-E005", "there is no time left to tell the coordinator");
  await unaryCall<LeaveResponse>(
    (options, done) => client.leave({}, new grpc.Metadata(), options, done),
    signal,
  );
}
