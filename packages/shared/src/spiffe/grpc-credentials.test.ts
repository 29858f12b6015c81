import { connect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "@jest/globals";
import { type Issued, makeIntermediate, makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import {
  type ChannelIdentity,
  makeChannelCredentials,
  peerIdOfCall,
  RotatingServerCredentials,
} from "./grpc-credentials.ts";
import { formatSpiffeId } from "./spiffe-id.ts";

const serverId = "spiffe://mesh.internal/weft/coordinator";
const clientId = "spiffe://mesh.internal/weft/node/api1";
const root = makeRoot();
const openThings: (() => void)[] = [];
afterEach(() => {
  for (const close of openThings.splice(0)) close();
});

const text = {
  serialize: (value: string) => Buffer.from(value),
  deserialize: (bytes: Buffer) => bytes.toString(),
};
const methods = {
  whoAmI: {
    path: "/test.Who/AmI",
    requestStream: false,
    responseStream: false,
    requestSerialize: text.serialize,
    requestDeserialize: text.deserialize,
    responseSerialize: text.serialize,
    responseDeserialize: text.deserialize,
  },
  echo: {
    path: "/test.Who/Echo",
    requestStream: true,
    responseStream: true,
    requestSerialize: text.serialize,
    requestDeserialize: text.deserialize,
    responseSerialize: text.serialize,
    responseDeserialize: text.deserialize,
  },
} as const;

async function startServer(credentials: grpc.ServerCredentials): Promise<number> {
  const server = new grpc.Server();
  server.addService(methods, {
    whoAmI: (call: grpc.ServerUnaryCall<string, string>, reply: grpc.sendUnaryData<string>) => {
      const id = peerIdOfCall(call);
      reply(null, id === undefined ? "nobody" : formatSpiffeId(id));
    },
    echo: (call: grpc.ServerDuplexStream<string, string>) => {
      call.on("data", (value: string) => call.write(value));
      call.on("end", () => call.end());
    },
  });
  openThings.push(() => server.forceShutdown());
  return await new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
}

function identityOf(leaf: Issued, ...chain: readonly Issued[]): { certChainPem: string; keyPem: string } {
  return { certChainPem: [leaf, ...chain].map((each) => each.pem).join(""), keyPem: leaf.keyPem };
}

const clientIdentity: ChannelIdentity = {
  rootsPem: root.pem,
  ...identityOf(makeLeaf(root, clientId)),
  expectId: serverId,
};

function clientWith(port: number, identity: ChannelIdentity): grpc.Client {
  const { credentials, channelOptions } = makeChannelCredentials(identity);
  const client = new grpc.Client(`127.0.0.1:${port}`, credentials, channelOptions);
  openThings.push(() => client.close());
  return client;
}

function clientFor(port: number, identity: Partial<ChannelIdentity> = {}): grpc.Client {
  return clientWith(port, { ...clientIdentity, ...identity });
}

async function ask(client: grpc.Client): Promise<string> {
  const { path, requestSerialize, responseDeserialize } = methods.whoAmI;
  return await new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      "who am I",
      { deadline: Date.now() + 5000 },
      (error, value) => (error === null ? resolve(value ?? "") : reject(error)),
    ),
  );
}

async function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = tlsConnect({
    host: "127.0.0.1",
    port,
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
    ...options,
  });
  openThings.push(() => socket.destroy());
  return await new Promise((resolve, reject) => {
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
  });
}

function serverCredentials(
  leaf: Issued = makeLeaf(root, serverId),
  roots: Issued = root,
): RotatingServerCredentials {
  const rotating = new RotatingServerCredentials(true);
  rotating.setRoots(roots.pem);
  const { certChainPem, keyPem } = identityOf(leaf);
  rotating.setIdentity(certChainPem, keyPem);
  return rotating;
}

describe("a server and a client with SVIDs", () => {
  it("name each other", async () => {
    const port = await startServer(serverCredentials().credentials);
    expect(await ask(clientFor(port))).toBe(clientId);
  });

  it("are kept waiting by nobody who connects and says nothing", async () => {
    const rotating = new RotatingServerCredentials(true, 100);
    rotating.setRoots(root.pem);
    const { certChainPem, keyPem } = identityOf(makeLeaf(root, serverId));
    rotating.setIdentity(certChainPem, keyPem);
    const socket = connect(await startServer(rotating.credentials), "127.0.0.1");
    openThings.push(() => socket.destroy());
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
  });

  it("do so through intermediates, and a client with an intermediate as its root", async () => {
    const upper = makeIntermediate(root);
    const rotating = new RotatingServerCredentials(true);
    rotating.setRoots(root.pem);
    const server = identityOf(makeLeaf(upper, serverId), upper);
    rotating.setIdentity(server.certChainPem, server.keyPem);
    const port = await startServer(rotating.credentials);
    const identity = identityOf(makeLeaf(upper, clientId), upper);
    expect(await ask(clientFor(port, { ...identity, rootsPem: root.pem }))).toBe(clientId);
    expect(await ask(clientFor(port, { ...identity, rootsPem: upper.pem }))).toBe(clientId);
  });

  it.each<[string, Issued, RegExp]>([
    ["with another ID", makeLeaf(root, "spiffe://mesh.internal/weft/node/web1"), /not who it should be/],
    [
      "with an ID that only begins like the right one",
      makeLeaf(root, `${serverId}2`),
      /not who it should be/,
    ],
    [
      "of another trust domain",
      makeLeaf(root, "spiffe://other.test/weft/coordinator"),
      /not who it should be/,
    ],
    ["with two IDs", makeLeaf(root, serverId, { uris: [serverId, clientId] }), /not a valid X.509-SVID/],
    [
      "with key usage that is not critical",
      makeLeaf(root, serverId, { keyUsageCritical: false }),
      /not a valid X.509-SVID/,
    ],
    ["of another root", makeLeaf(makeRoot("evil.test"), serverId), /unable to|self.signed|certificate/],
    ["that is expired", makeLeaf(root, serverId, { notAfter: new Date(Date.now() - 1000) }), /expired/],
  ])("a client refuses a server %s", async (_, leaf, message) => {
    const port = await startServer(serverCredentials(leaf).credentials);
    await expect(ask(clientFor(port))).rejects.toThrow(message);
  });

  it.each<[string, Issued | undefined]>([
    ["no certificate", undefined],
    ["a certificate of another root", makeLeaf(makeRoot("evil.test"), clientId)],
    ["an expired certificate", makeLeaf(root, clientId, { notAfter: new Date(Date.now() - 1000) })],
  ])("a server refuses a client with %s", async (_, leaf) => {
    const port = await startServer(serverCredentials().credentials);
    const own = leaf === undefined ? {} : identityOf(leaf);
    const client = clientWith(port, { rootsPem: root.pem, expectId: serverId, ...own });
    await expect(ask(client)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  });

  it("a server that asks for no client certificate sees nobody", async () => {
    const rotating = new RotatingServerCredentials(false);
    const { certChainPem, keyPem } = identityOf(makeLeaf(root, serverId));
    rotating.setIdentity(certChainPem, keyPem);
    const port = await startServer(rotating.credentials);
    expect(await ask(clientFor(port))).toBe("nobody");
  });
});

describe("RotatingServerCredentials", () => {
  it("close connections until identity and roots are both there", async () => {
    const rotating = new RotatingServerCredentials(true);
    const port = await startServer(rotating.credentials);
    await expect(handshake(port, { ca: root.pem })).rejects.toThrow();
    const { certChainPem, keyPem } = identityOf(makeLeaf(root, serverId));
    rotating.setIdentity(certChainPem, keyPem);
    await expect(handshake(port, { ca: root.pem })).rejects.toThrow();
    rotating.setRoots(root.pem);
    expect(await ask(clientFor(port))).toBe(clientId);
  });

  it("rotate the identity with no restart: new connections see it, an open stream goes on", async () => {
    const rotating = serverCredentials();
    const port = await startServer(rotating.credentials);
    const { path, requestSerialize, responseDeserialize } = methods.echo;
    const stream = clientFor(port).makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const echoed = () => new Promise((resolve) => stream.once("data", resolve));
    stream.on("error", () => undefined);
    stream.write("before");
    expect(await echoed()).toBe("before");

    const next = makeLeaf(root, serverId);
    rotating.setIdentity(next.pem, next.keyPem);
    const seen = await handshake(port, {
      ca: root.pem,
      cert: clientIdentity.certChainPem,
      key: clientIdentity.keyPem,
    });
    expect(Buffer.from(seen.getPeerCertificate().raw)).toEqual(Buffer.from(next.der));
    stream.write("after");
    expect(await echoed()).toBe("after");
    stream.cancel();
  });

  it("rotate the roots: clients of the old root are refused, those of the new one served", async () => {
    const rotating = serverCredentials();
    const port = await startServer(rotating.credentials);
    expect(await ask(clientFor(port))).toBe(clientId);
    const nextRoot = makeRoot();
    rotating.setRoots(nextRoot.pem);
    await expect(ask(clientFor(port))).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    expect(await ask(clientFor(port, identityOf(makeLeaf(nextRoot, clientId))))).toBe(clientId);
    rotating.setRoots(root.pem + nextRoot.pem);
    expect(await ask(clientFor(port))).toBe(clientId);
  });

  it("keep what they had when they are given something unusable", async () => {
    const rotating = serverCredentials();
    const port = await startServer(rotating.credentials);
    const leaf = makeLeaf(root, serverId);
    const unusable = expect.objectContaining({ code: "WEFT-E205" });
    expect(() => rotating.setIdentity(leaf.pem, makeLeaf(root, serverId).keyPem)).toThrow(unusable);
    expect(() => rotating.setIdentity("no PEM", leaf.keyPem)).toThrow(unusable);
    expect(() => rotating.setRoots("")).toThrow(unusable);
    expect(() => rotating.setRoots("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")).toThrow(
      unusable,
    );
    expect(await ask(clientFor(port))).toBe(clientId);
  });

  it("speak TLS 1.3 and refuse 1.2", async () => {
    const port = await startServer(serverCredentials().credentials);
    const own = { ca: root.pem, cert: clientIdentity.certChainPem, key: clientIdentity.keyPem };
    expect((await handshake(port, own)).getProtocol()).toBe("TLSv1.3");
    await expect(handshake(port, { ...own, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" })).rejects.toThrow(
      /alert|version/,
    );
  });

  it("never resume a session, which would skip the check of the client's certificate", async () => {
    const port = await startServer(serverCredentials().credentials);
    const own = { ca: root.pem, cert: clientIdentity.certChainPem, key: clientIdentity.keyPem };
    const first = await handshake(port, own);
    const session = await Promise.race([
      new Promise<Buffer>((resolve) => first.once("session", resolve)),
      ask(clientFor(port)).then(() => undefined),
    ]);
    const again = await handshake(port, { ...own, ...(session === undefined ? {} : { session }) });
    expect(again.isSessionReused()).toBe(false);
  });
});
