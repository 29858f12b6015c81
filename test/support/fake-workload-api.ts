// In: what a SPIFFE Workload API should answer, call by call. Out: a real gRPC server on a unix socket that does.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import {
  SpiffeWorkloadAPIService,
  type X509SVIDRequest,
  type X509SVIDResponse,
} from "../../packages/shared/src/gen/third_party/workload.ts";
import type { Issued } from "./test-ca.ts";

export type WorkloadCall = grpc.ServerWritableStream<X509SVIDRequest, X509SVIDResponse>;

export interface FakeWorkloadApi extends AsyncDisposable {
  readonly socketPath: string;
  /** Resolves with the next call that nobody has taken yet. It stays open until the test ends it. */
  nextCall(): Promise<WorkloadCall>;
  /** Number of calls so far. */
  calls(): number;
}

export async function temporarySocket(): Promise<{ path: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "weft-workload-"));
  return { path: join(folder, "api.sock"), remove: async () => await rm(folder, { recursive: true }) };
}

export async function startFakeWorkloadApi(at?: string): Promise<FakeWorkloadApi> {
  const socket =
    at === undefined
      ? await temporarySocket()
      : { path: at, remove: async () => await rm(at, { force: true }) };
  const waiting: WorkloadCall[] = [];
  const takers: ((call: WorkloadCall) => void)[] = [];
  let count = 0;
  const server = new grpc.Server();
  server.addService(SpiffeWorkloadAPIService, {
    fetchX509Svid: (call: WorkloadCall) => {
      count += 1;
      const taker = takers.shift();
      if (taker === undefined) waiting.push(call);
      else taker(call);
    },
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix://${socket.path}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
  return {
    socketPath: socket.path,
    calls: () => count,
    nextCall: async () => {
      const call = waiting.shift();
      return call ?? (await new Promise((resolve) => takers.push(resolve)));
    },
    [Symbol.asyncDispose]: async () => {
      server.forceShutdown();
      await socket.remove();
    },
  };
}

/** Ends a call with a gRPC status that is not OK. */
export function failCall(call: WorkloadCall, code: grpc.status, details = "as the test wants"): void {
  call.emit("error", { code, details });
}

/** A message with one SVID: leaf, its intermediates, and the roots of its trust domain. */
export function svidMessage(
  spiffeId: string,
  leaf: Issued,
  roots: readonly Issued[],
  more: { readonly intermediates?: readonly Issued[]; readonly hint?: string } = {},
): X509SVIDResponse {
  const ders = (list: readonly Issued[]) => Buffer.concat(list.map((each) => each.der));
  const svid = {
    spiffeId,
    x509Svid: ders([leaf, ...(more.intermediates ?? [])]),
    x509SvidKey: leaf.keys.privateKey.export({ type: "pkcs8", format: "der" }),
    bundle: ders(roots),
    hint: more.hint ?? "",
  };
  return { svids: [svid], crl: [], federatedBundles: {} };
}
