import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { AgentServiceClient } from "../../packages/shared/src/gen/weft/v1/agent.ts";
import { makeCsr } from "../../packages/shared/src/spiffe/csr.ts";
import { AgentStream } from "../support/agent-stream.ts";
import { eventually } from "../support/eventually.ts";
import { makeLeaf, makeRoot } from "../support/test-ca.ts";
import { type JoinedNode, meshText, TestCoordinator, unary } from "../support/test-coordinator.ts";

let coordinator: TestCoordinator;
let web: JoinedNode;
beforeEach(async () => {
  coordinator = await TestCoordinator.start();
  await coordinator.apply(meshText);
  web = await coordinator.join("web1");
});
afterEach(async () => {
  await coordinator.stop();
  expect(coordinator.errors).toEqual([]);
});

const codeOf = (work: Promise<unknown>): Promise<number> =>
  work.then(
    () => status.OK,
    (failure: ServiceError) => failure.code,
  );

function fetchComponent(
  client: AgentServiceClient,
  request: { name: string; sha256: string },
): Promise<Buffer> {
  const call = client.fetchComponent({ version: "1", architecture: "x64", ...request });
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    call.on("data", ({ data }) => parts.push(data));
    call.on("end", () => resolve(Buffer.concat(parts)));
    call.on("error", reject);
  });
}

const csr = Buffer.from(makeCsr("spiffe://mesh.internal/weft/node/web1").csrDer);
const calls: Record<string, (client: AgentServiceClient) => Promise<unknown>> = {
  Session: async (client) => {
    const failure = await new AgentStream(client).hello().end();
    if (failure !== undefined) throw failure;
  },
  RenewIdentity: (client) => unary((done) => client.renewIdentity({ csr }, done)),
  MintExchange: (client) => unary((done) => client.mintExchange({ csr }, done)),
  FetchComponent: (client) => fetchComponent(client, { name: "coredns", sha256: "" }),
  Probe: (client) => unary((done) => client.probe({ nonce: Buffer.alloc(8) }, done)),
  Leave: (client) => unary((done) => client.leave({}, done)),
};

describe.each(Object.keys(calls))("%s", (name) => {
  const call = calls[name]!;
  it.each([
    ["a service", "spiffe://mesh.internal/web"],
    ["the coordinator", "spiffe://mesh.internal/weft/coordinator"],
    ["an operator", "spiffe://mesh.internal/weft/operator/ada"],
    ["a node that has not joined", "spiffe://mesh.internal/weft/node/api1"],
    ["a longer path", "spiffe://mesh.internal/weft/node/web1/x"],
    ["an exchange SVID", "spiffe://mesh.internal/spire-exchange/web1"],
    ["a SPIRE agent", "spiffe://mesh.internal/spire/agent/x509pop/web1"],
    ["another trust domain", "spiffe://other.internal/weft/node/web1"],
    ["another case", "spiffe://mesh.internal/weft/node/WEB1"],
  ])("is refused to %s", async (_what, spiffeId) => {
    const client = coordinator.agent(coordinator.identity(spiffeId, { notBefore: new Date() }));
    expect(await codeOf(call(client))).toBe(status.PERMISSION_DENIED);
  });
});

describe("the agents' port", () => {
  it("closes on a client without a certificate, or with one of another authority", async () => {
    expect(await codeOf(calls["Probe"]!(coordinator.agent({})))).toBe(status.UNAVAILABLE);
    const foreign = makeLeaf(makeRoot("mesh.internal"), "spiffe://mesh.internal/weft/node/web1");
    const client = coordinator.agent({ certChainPem: foreign.pem, keyPem: foreign.keyPem });
    expect(await codeOf(calls["Probe"]!(client))).toBe(status.UNAVAILABLE);
    expect(await codeOf(calls["Probe"]!(coordinator.agent(web)))).toBe(status.OK);
  });

  it.each(["agentPort", "enrolmentPort"] as const)("speaks TLS 1.3 only (%s)", async (port) => {
    const attempt = (maxVersion: tls.SecureVersion) =>
      new Promise<string>((resolve) => {
        const socket = tls.connect(
          {
            host: "127.0.0.1",
            port: coordinator.daemon[port],
            rejectUnauthorized: false,
            minVersion: "TLSv1.2",
            maxVersion,
            cert: web.certChainPem,
            key: web.keyPem,
            ALPNProtocols: ["h2"],
          },
          () => {
            resolve(socket.getProtocol() ?? "");
            socket.destroy();
          },
        );
        socket.on("error", (failure: NodeJS.ErrnoException) => resolve(failure.code ?? failure.message));
      });
    expect(await attempt("TLSv1.3")).toBe("TLSv1.3");
    expect(await attempt("TLSv1.2")).toMatch(/PROTOCOL_VERSION|HANDSHAKE/);
  });

  it("survives garbage, and messages that are too large or no protobuf", async () => {
    for (const port of [coordinator.daemon.agentPort, coordinator.daemon.enrolmentPort])
      for (const bytes of [
        Buffer.alloc(64 * 1024, 0xff),
        Buffer.from("GET / HTTP/1.1\r\n\r\n"),
        Buffer.alloc(0),
      ])
        await new Promise<void>((resolve) => {
          const socket = connectTcp(port, "127.0.0.1", () => socket.end(bytes));
          socket.on("close", () => resolve());
          socket.on("error", () => resolve());
          socket.resume();
        });
    const client = coordinator.agent(web, { "grpc.max_send_message_length": -1 });
    const large = unary((done) => client.probe({ nonce: Buffer.alloc(1024 * 1024 + 1) }, done));
    expect(await codeOf(large)).toBe(status.RESOURCE_EXHAUSTED);
    const garbled = new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        "/weft.v1.AgentService/RenewIdentity",
        () => Buffer.from([0xff, 0xff, 0xff]),
        (bytes) => bytes,
        {},
        (failure, answer) => (failure === null ? resolve(answer) : reject(failure)),
      );
    });
    expect(await codeOf(garbled)).not.toBe(status.OK);
    expect(await codeOf(calls["Probe"]!(client))).toBe(status.OK);
  });

  it("hands out certificates for the caller's own node only", async () => {
    const client = coordinator.agent(web);
    const ask = (spiffeId: string) => {
      const request = { csr: Buffer.from(makeCsr(spiffeId).csrDer) };
      return [
        unary((done) => client.renewIdentity(request, done)),
        unary((done) => client.mintExchange(request, done)),
      ].map(codeOf);
    };
    expect(await Promise.all(ask("spiffe://mesh.internal/weft/node/web1"))).toEqual([
      status.OK,
      status.INVALID_ARGUMENT,
    ]);
    expect(await Promise.all(ask("spiffe://mesh.internal/spire-exchange/web1"))).toEqual([
      status.INVALID_ARGUMENT,
      status.OK,
    ]);
    expect(await Promise.all(ask("spiffe://mesh.internal/weft/node/api1"))).toEqual(
      Array(2).fill(status.INVALID_ARGUMENT),
    );
  });

  it("hands out ten certificates of a kind a minute to a node, and slows down no other", async () => {
    const ask = (node: JoinedNode) => {
      const client = coordinator.agent(node);
      const request = { csr: Buffer.from(makeCsr(`spiffe://mesh.internal/weft/node/${node.name}`).csrDer) };
      return Array.from({ length: 15 }, () => codeOf(unary((done) => client.renewIdentity(request, done))));
    };
    const codes = await Promise.all(ask(web));
    expect(codes.filter((code) => code === status.OK)).toHaveLength(10);
    expect(codes.filter((code) => code === status.RESOURCE_EXHAUSTED)).toHaveLength(5);
    const exchange = { csr: Buffer.from(makeCsr("spiffe://mesh.internal/spire-exchange/web1").csrDer) };
    const client = coordinator.agent(web);
    expect(await codeOf(unary((done) => client.mintExchange(exchange, done)))).toBe(status.OK);
    expect(await ask(await coordinator.join("api1"))[0]).toBe(status.OK);
    coordinator.skewMs += 60_000;
    expect(await ask(web)[0]).toBe(status.OK);
  });

  it("hands out no certificate that was asked for before the node was removed", async () => {
    const client = coordinator.agent(web);
    let open: () => void = () => undefined;
    coordinator.spire.gate = new Promise((resolve) => {
      open = resolve;
    });
    const { asked } = coordinator.spire;
    const renewal = codeOf(calls["RenewIdentity"]!(client));
    await eventually("the request at SPIRE", () => coordinator.spire.asked > asked);
    const left = await codeOf(calls["Leave"]!(client));
    expect(left).toBe(status.OK);
    open();
    expect(await renewal).toBe(status.PERMISSION_DENIED);
  });

  it("lets a node leave: its entries go, and it is Absent", async () => {
    await eventually("its entry", () => coordinator.spire.entries.has("weft.web1.web"));
    await calls["Leave"]!(coordinator.agent(web));
    expect(coordinator.spire.entries.size).toBe(0);
    expect(coordinator.spire.deleted).toContain("spiffe://mesh.internal/spire/agent/x509pop/web1");
    const { nodes } = await coordinator.status();
    expect(nodes.find(({ name }) => name === "web1")?.state).toBe("Absent");
    expect((await coordinator.join("web1")).response.node).toBe("web1");
  });
});

describe("components", () => {
  const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, index) => index % 251));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  beforeEach(() => writeFileSync(join(coordinator.componentsFolder, "coredns"), bytes));

  it("come whole to a node that knows their hash", async () => {
    const got = await fetchComponent(coordinator.agent(web), { name: "coredns", sha256 });
    expect(got.equals(bytes)).toBe(true);
  });

  it("are refused by another hash or a name that is none", async () => {
    const client = coordinator.agent(web);
    expect(await codeOf(fetchComponent(client, { name: "coredns", sha256: "0".repeat(64) }))).toBe(
      status.FAILED_PRECONDITION,
    );
    for (const name of ["../store.db", "store.db", "own-svid.pem", ""])
      expect(await codeOf(fetchComponent(client, { name, sha256 }))).toBe(status.NOT_FOUND);
    expect(await codeOf(fetchComponent(client, { name: "spire-agent", sha256 }))).toBe(status.NOT_FOUND);
  });

  it("are hashed anew when the file has changed", async () => {
    const client = coordinator.agent(web);
    await fetchComponent(client, { name: "coredns", sha256 });
    writeFileSync(join(coordinator.componentsFolder, "coredns"), "something else");
    expect(await codeOf(fetchComponent(client, { name: "coredns", sha256 }))).toBe(
      status.FAILED_PRECONDITION,
    );
  });
});
