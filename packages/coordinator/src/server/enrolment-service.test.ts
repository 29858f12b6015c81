import type { ServerUnaryCall, ServiceError } from "@grpc/grpc-js";
import { describe, expect, it } from "@jest/globals";
import type { ChallengeRequest, ChallengeResponse } from "@weft/shared/gen/weft/v1/enrol";
import { Nonces } from "../enrolment/nonce.ts";
import { RateLimit } from "../enrolment/rate-limit.ts";
import { type EnrolmentServiceParts, enrolmentService } from "./enrolment-service.ts";
import { Handlers } from "./handlers.ts";

const now = new Date("2026-03-01T12:00:00Z");
const node = "fd77::11";

/** Only what a challenge needs. */
function make() {
  const service = enrolmentService({
    handlers: new Handlers({ info() {}, warn() {}, error() {} }),
    nonces: new Nonces(Buffer.alloc(32)),
    limit: new RateLimit({ perSecond: 5, burst: 3, sources: 10 }),
    isNodeAddress: (address: string) => address === node,
    now: () => now,
    randomBytes: (count: number) => Buffer.alloc(count),
  } as unknown as EnrolmentServiceParts);
  return (peer: string) => {
    const call = { request: { node: "web1" }, getPeer: () => peer };
    return new Promise<number>((resolve) =>
      service.challenge(call as unknown as ServerUnaryCall<ChallengeRequest, ChallengeResponse>, (failure) =>
        resolve((failure as ServiceError | null)?.code ?? 0),
      ),
    );
  };
}

describe("how often one may ask", () => {
  it("is counted for a whole IPv6 network, but for a node by itself", async () => {
    const ask = make();
    const codes: number[] = [];
    for (const host of ["a", "b", "c", "d"]) codes.push(await ask(`[fd77::${host}]:40000`));
    expect(codes).toEqual([0, 0, 0, 8]);
    for (let i = 0; i < 3; i++) expect(await ask(`[${node}]:40000`)).toBe(0);
    expect(await ask(`[${node}]:40000`)).toBe(8);
  });
});
