import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type {
  ChallengeResponse,
  FetchBundleResponse,
  JoinResponse,
  ReEnterResponse,
} from "../../packages/shared/src/gen/weft/v1/enrol.ts";
import { ReEntryProof } from "../../packages/shared/src/gen/weft/v1/enrol.ts";
import { nodeId } from "../../packages/shared/src/model/ids.ts";
import { makeCsr } from "../../packages/shared/src/spiffe/csr.ts";
import {
  reEntryContext,
  verifyNonceReply,
  verifySignedBundle,
} from "../../packages/shared/src/wire/trust-bundle.ts";
import { AgentStream } from "../support/agent-stream.ts";
import { meshText, sha256, TestCoordinator, unary } from "../support/test-coordinator.ts";

let coordinator: TestCoordinator;
beforeEach(async () => {
  coordinator = await TestCoordinator.start();
  await coordinator.apply(meshText);
});
afterEach(async () => {
  await coordinator.stop();
  expect(coordinator.errors).toEqual([]);
});

const refusal = (work: Promise<unknown>): Promise<ServiceError> =>
  work.then(
    () => {
      throw new Error("it was not refused");
    },
    (failure: ServiceError) => failure,
  );

describe("the first contact", () => {
  it("answers with the bundle of the pinned root, freshly", async () => {
    const client = coordinator.enrolment();
    const nonce = Buffer.alloc(32, 7);
    const answer = await unary<FetchBundleResponse>((done) => client.fetchBundle({ nonce }, done));
    const { bundle, signingKey } = verifySignedBundle(
      answer.bundle!,
      { pin: coordinator.pin },
      { now: new Date() },
    );
    expect(bundle.roots.map((root) => Buffer.from(root))).toEqual([Buffer.from(coordinator.spire.root.der)]);
    expect(verifyNonceReply(answer, nonce, signingKey).serverTime.getTime()).toBeCloseTo(Date.now(), -4);
  });
});

describe("joining", () => {
  it("gives a certificate for the node the token is for, and registration entries follow", async () => {
    const node = await coordinator.join("web1");
    expect(node.response).toMatchObject({
      node: "web1",
      mesh: "shop",
      trustDomain: "mesh.internal",
      agentPort: coordinator.daemon.agentPort,
    });
    expect(node.response.svid?.spiffeId).toBe("spiffe://mesh.internal/weft/node/web1");
    const stream = new AgentStream(coordinator.agent(node)).hello();
    await stream.first("welcome");
    expect([...coordinator.spire.entries.keys()]).toEqual(["weft.web1.web"]);
  });

  it("gives the same key the same answer", async () => {
    const request = coordinator.joinRequest(await coordinator.token("web1"), "web1");
    const client = coordinator.enrolment();
    const first = await unary<JoinResponse>((done) => client.join(request.message, done));
    const second = await unary<JoinResponse>((done) => client.join(request.message, done));
    expect(second.svid).toEqual(first.svid);
  });

  it("refuses a wrong, an expired and a misplaced token with one plain sentence each", async () => {
    const client = coordinator.enrolment();
    const join = (token: string) => {
      const request = coordinator.joinRequest(token, "web1");
      return refusal(unary<JoinResponse>((done) => client.join(request.message, done)));
    };
    const wrong = await join(`web1.${"A".repeat(32)}`);
    expect([wrong.code, wrong.details]).toEqual([
      status.PERMISSION_DENIED,
      "this join token is not known here (WEFT-E201)",
    ]);
    const bound = await join(await coordinator.token("web1", { fromAny: false }));
    expect(bound.details).toContain("only good on the machine at 10.77.0.11, and you come from 127.0.0.1");
    const token = await coordinator.token("web1", { ttlSeconds: 60 });
    coordinator.skewMs = 61_000;
    expect((await join(token)).details).toContain("expired at");
  });

  it("suspends a node whose token a second key presents before it is confirmed", async () => {
    const token = await coordinator.token("web1");
    const client = coordinator.enrolment();
    const first = coordinator.joinRequest(token, "web1");
    const answer = await unary<JoinResponse>((done) => client.join(first.message, done));
    const identity = { certChainPem: pemOf(answer), keyPem: first.keyPem };
    const stream = new AgentStream(coordinator.agent(identity)).hello();
    await stream.first("welcome");
    const second = coordinator.joinRequest(token, "web1");
    const conflict = await refusal(unary<JoinResponse>((done) => client.join(second.message, done)));
    expect(conflict.details).toContain("used by another machine");
    expect((await stream.first("dismissal")).reason).toBe("suspended");
    const suspended = await coordinator.status();
    expect(suspended.nodes.find(({ name }) => name === "web1")?.state).toBe("Suspended");
    expect(suspended.conditions).toMatchObject([
      {
        code: "JOIN_CONFLICT",
        detail: expect.stringMatching(/web1: first key \w{64} from 127.0.0.1, second key \w{64}/),
      },
    ]);
    // A new token settles it, for whoever the operator gives it to; the old certificate is worth nothing any more.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await coordinator.join("web1");
    expect((await coordinator.status()).conditions).toEqual([]);
    const old = new AgentStream(coordinator.agent(identity)).hello();
    expect((await old.end())?.details).toContain("another machine has joined as web1");
  });

  it.each([
    ["another node's name", "spiffe://mesh.internal/weft/node/api1"],
    ["the coordinator's name", "spiffe://mesh.internal/weft/coordinator"],
    ["another trust domain", "spiffe://other.internal/weft/node/web1"],
  ])("signs no request for %s", async (_what, spiffeId) => {
    const token = await coordinator.token("web1");
    const keys = generateKeyPairSync("ed25519");
    const request = coordinator.joinRequest(token, "web1", keys);
    const csr = Buffer.from(makeCsr(spiffeId).csrDer);
    const client = coordinator.enrolment();
    const unproved = await refusal(
      unary<JoinResponse>((done) => client.join({ ...request.message, csr }, done)),
    );
    expect(unproved.code).toBe(status.PERMISSION_DENIED);
    const { JoinProof } = await import("../../packages/shared/src/gen/weft/v1/enrol.ts");
    const proof = JoinProof.encode({
      context: "weft/v1 join",
      meshId: coordinator.meshId,
      tokenHash: sha256(token),
      csrHash: sha256(csr),
    }).finish();
    const message = { ...request.message, csr, enrolmentProof: sign(null, proof, keys.privateKey) };
    const refused = await refusal(unary<JoinResponse>((done) => client.join(message, done)));
    expect(refused.code).toBe(status.INVALID_ARGUMENT);
    // The token is still good for the one it was meant for.
    const right = coordinator.joinRequest(token, "web1");
    expect((await unary<JoinResponse>((done) => client.join(right.message, done))).node).toBe("web1");
  });

  it("is not for names outside the mesh, nor for a node that answers", async () => {
    const unknown = await refusal(coordinator.token("db1"));
    expect(unknown.details).toContain('the applied mesh has no node "db1"');
    const node = await coordinator.join("web1");
    await new AgentStream(coordinator.agent(node)).hello().first("welcome");
    expect((await refusal(coordinator.token("web1"))).details).toContain("has joined and answers");
  });

  it("is slowed down for one address, and the rest of the answers stay short", async () => {
    const client = coordinator.enrolment();
    const codes = await Promise.all(
      Array.from({ length: 60 }, () =>
        unary<FetchBundleResponse>((done) => client.fetchBundle({ nonce: Buffer.alloc(32) }, done)).then(
          () => status.OK,
          (failure: ServiceError) => failure.code,
        ),
      ),
    );
    expect(codes.filter((code) => code === status.OK).length).toBeGreaterThanOrEqual(25);
    expect(codes.filter((code) => code === status.RESOURCE_EXHAUSTED).length).toBeGreaterThan(10);
  });
});

function pemOf(answer: JoinResponse): string {
  return answer
    .svid!.chain.map(
      (der) => `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`,
    )
    .join("");
}

describe("coming back", () => {
  async function reEnter(
    name: string,
    key: KeyObject,
    generation: bigint,
    change: { readonly csr?: Buffer; readonly nonce?: Buffer; readonly meshId?: string } = {},
  ): Promise<ReEnterResponse> {
    const client = coordinator.enrolment();
    const csr = change.csr ?? Buffer.from(makeCsr(nodeId("mesh.internal", name)).csrDer);
    const challenge = await unary<ChallengeResponse>((done) => client.challenge({ node: name }, done));
    const proof = Buffer.from(
      ReEntryProof.encode({
        context: reEntryContext,
        meshId: change.meshId ?? coordinator.meshId,
        node: name,
        nonce: change.nonce ?? challenge.nonce,
        csrHash: sha256(csr),
        bootId: "boot",
        generation,
      }).finish(),
    );
    return unary((done) =>
      client.reEnter({ node: name, csr, proof, proofSignature: sign(null, proof, key) }, done),
    );
  }

  it("raises the generation, and answers a lost request again", async () => {
    const { enrolmentKey } = await coordinator.join("web1");
    const csr = Buffer.from(makeCsr(nodeId("mesh.internal", "web1")).csrDer);
    const first = await reEnter("web1", enrolmentKey, 1n, { csr });
    expect(first.enrolmentGeneration).toBe(2n);
    const again = await reEnter("web1", enrolmentKey, 1n, { csr });
    expect(again.enrolmentGeneration).toBe(2n);
    expect(again.svid).toEqual(first.svid);
    expect((await reEnter("web1", enrolmentKey, 2n)).enrolmentGeneration).toBe(3n);
  });

  it("finds out a cloned disk, and suspends the node", async () => {
    const { enrolmentKey } = await coordinator.join("web1");
    await reEnter("web1", enrolmentKey, 1n);
    expect((await refusal(reEnter("web1", enrolmentKey, 1n))).details).toContain(
      "two machines hold the keys",
    );
    expect((await refusal(reEnter("web1", enrolmentKey, 2n))).details).toContain("is suspended");
  });

  it("is refused to a wrong key, a made-up nonce, another mesh, an unknown node", async () => {
    const { enrolmentKey } = await coordinator.join("web1");
    const other = generateKeyPairSync("ed25519").privateKey;
    const refusals = await Promise.all([
      refusal(reEnter("web1", other, 1n)),
      refusal(reEnter("web1", enrolmentKey, 1n, { nonce: Buffer.alloc(56) })),
      refusal(reEnter("web1", enrolmentKey, 1n, { meshId: "other" })),
      refusal(reEnter("api1", enrolmentKey, 1n)),
    ]);
    expect(refusals.map(({ code }) => code)).toEqual(Array(4).fill(status.PERMISSION_DENIED));
    expect((await reEnter("web1", enrolmentKey, 1n)).enrolmentGeneration).toBe(2n);
  });
});
