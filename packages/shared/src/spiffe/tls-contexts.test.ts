import { once } from "node:events";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, it } from "@jest/globals";
import { svidMessage } from "../../../../test/support/fake-workload-api.ts";
import { type Issued, makeIntermediate, makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import { formatSpiffeId } from "./spiffe-id.ts";
import { clientOptions, peerOfSocket, peerSpiffeId, rotateServer, serverOptions } from "./tls-contexts.ts";
import { readX509Context } from "./x509-context.ts";
import { X509Feed } from "./x509-source.ts";

const apiId = "spiffe://mesh.internal/api";
const webId = "spiffe://mesh.internal/web";
const root = makeRoot();

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function give(
  feed: X509Feed,
  spiffeId: string,
  leaf: Issued,
  roots = [root],
  intermediates: Issued[] = [],
): void {
  feed.update(readX509Context(svidMessage(spiffeId, leaf, roots, { intermediates })));
}

function sourceOf(spiffeId: string, by = root, roots = [root], intermediates: Issued[] = []): X509Feed {
  const feed = new X509Feed();
  give(feed, spiffeId, makeLeaf(by, spiffeId), roots, intermediates);
  return feed;
}

/** An HTTPS server that answers with the ID its client proved. */
async function startServer(source: X509Feed): Promise<number> {
  const server = createServer(serverOptions(source), (incoming, outgoing) => {
    const id = peerSpiffeId(incoming.socket as TLSSocket);
    outgoing.end(id === undefined ? "nobody" : formatSpiffeId(id));
  });
  const stop = rotateServer(server, source);
  closers.push(() => {
    stop();
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** One request over a connection of its own. */
async function ask(port: number, options: ConnectionOptions): Promise<string> {
  return await new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, agent: false, ...options }, (incoming) => {
      let body = "";
      incoming.on("data", (part: Buffer) => {
        body += part.toString();
      });
      incoming.on("end", () => resolve(body));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

async function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, ...options });
  closers.push(() => socket.destroy());
  return await new Promise((resolve, reject) => {
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

describe("mutual TLS with SVIDs", () => {
  it("lets both sides know each other's exact ID", async () => {
    const port = await startServer(sourceOf(apiId));
    expect(await ask(port, clientOptions(sourceOf(webId), apiId))).toBe(webId);
    const socket = await handshake(port, clientOptions(sourceOf(webId), apiId));
    expect(peerOfSocket(socket)).toMatchObject({ id: { trustDomain: "mesh.internal", path: "/api" } });
    expect(socket.getProtocol()).toBe("TLSv1.3");
  });

  it("works through intermediates on both sides", async () => {
    const [one, two] = [makeIntermediate(root), makeIntermediate(root)];
    const port = await startServer(sourceOf(apiId, one, [root], [one]));
    expect(await ask(port, clientOptions(sourceOf(webId, two, [root], [two]), apiId))).toBe(webId);
  });

  it.each([
    ["another service", "spiffe://mesh.internal/web"],
    ["an ID the server's begins with", "spiffe://mesh.internal/ap"],
    ["an ID that begins with the server's", "spiffe://mesh.internal/api/v2"],
    ["the same name in another trust domain", "spiffe://other.test/api"],
  ])("refuses a server when %s is expected", async (_, expected) => {
    const port = await startServer(sourceOf(apiId));
    await expect(ask(port, clientOptions(sourceOf(webId), expected))).rejects.toMatchObject({
      code: "WEFT-E202",
      why: `It proved to be ${apiId}, and ${expected} was expected.`,
    });
  });

  it("refuses a server of a foreign root, whatever ID it claims", async () => {
    const port = await startServer(sourceOf(apiId, makeRoot(), [root]));
    await expect(ask(port, clientOptions(sourceOf(webId), apiId))).rejects.toThrow(/certificate/);
  });

  it("refuses clients without certificate, of a foreign root, or with TLS 1.2", async () => {
    const port = await startServer(sourceOf(apiId));
    const good = clientOptions(sourceOf(webId), apiId);
    const { cert: _cert, key: _key, ...bare } = good;
    await expect(ask(port, bare)).rejects.toThrow();
    await expect(ask(port, clientOptions(sourceOf(webId, makeRoot()), apiId))).rejects.toThrow();
    await expect(ask(port, { ...good, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" })).rejects.toThrow(
      /alert protocol version/,
    );
    expect(await ask(port, good)).toBe(webId);
  });

  it("asks only for a well-formed ID", () => {
    expect(() => clientOptions(sourceOf(webId), "spiffe://mesh.internal/*")).toThrow(
      expect.objectContaining({ code: "WEFT-E205" }),
    );
  });
});

describe("rotation", () => {
  it("gives new connections the new certificates on both sides; an open connection goes on", async () => {
    const [server, client] = [sourceOf(apiId), sourceOf(webId)];
    const port = await startServer(server);
    const open = await handshake(port, clientOptions(client, apiId));

    const next = makeLeaf(root, apiId);
    give(server, apiId, next);
    give(client, webId, makeLeaf(root, webId));
    const fresh = await handshake(port, clientOptions(client, apiId));
    expect(fresh.getPeerCertificate().raw).toEqual(Buffer.from(next.der));
    expect(open.getPeerCertificate().raw).not.toEqual(Buffer.from(next.der));
    open.write("GET / HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n");
    const answer = await open.reduce((text: string, part: Buffer) => text + part.toString(), "");
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*spiffe:\/\/mesh\.internal\/web/);
  });

  it("follows a change of root: old certificates are refused once their root is gone", async () => {
    const [oldRoot, newRoot] = [root, makeRoot()];
    const [server, client] = [sourceOf(apiId), sourceOf(webId)];
    const port = await startServer(server);
    const before = clientOptions(client, apiId);
    give(server, apiId, makeLeaf(newRoot, apiId), [oldRoot, newRoot]);
    give(client, webId, makeLeaf(oldRoot, webId), [oldRoot, newRoot]);
    expect(await ask(port, clientOptions(client, apiId))).toBe(webId);
    give(server, apiId, makeLeaf(newRoot, apiId), [newRoot]);
    give(client, webId, makeLeaf(newRoot, webId), [newRoot]);
    expect(await ask(port, clientOptions(client, apiId))).toBe(webId);
    await expect(ask(port, before)).rejects.toThrow();
  });

  it("refuses every handshake after the identity was withdrawn, until there is one again", async () => {
    const [server, client] = [sourceOf(apiId), sourceOf(webId)];
    const port = await startServer(server);
    server.update();
    await expect(ask(port, clientOptions(client, apiId))).rejects.toThrow();
    client.update();
    expect(() => clientOptions(client, apiId)).toThrow(expect.objectContaining({ code: "WEFT-E503" }));
    expect(() => serverOptions(server)).toThrow(expect.objectContaining({ code: "WEFT-E503" }));
    give(server, apiId, makeLeaf(root, apiId));
    give(client, webId, makeLeaf(root, webId));
    expect(await ask(port, clientOptions(client, apiId))).toBe(webId);
  });
});

describe("peerOfSocket", () => {
  it("names the same peer however often it is asked, on both sides, with intermediates", async () => {
    const [one, two] = [makeIntermediate(root), makeIntermediate(root)];
    const server = createServer(serverOptions(sourceOf(apiId, one, [root], [one])));
    closers.push(() => server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const accepted = once(server, "secureConnection") as Promise<[TLSSocket]>;
    const options = clientOptions(sourceOf(webId, two, [root], [two]), apiId);
    const client = await handshake((server.address() as AddressInfo).port, options);
    const [other] = await accepted;
    closers.push(() => other.destroy());
    for (let i = 0; i < 3; i += 1) {
      expect(peerSpiffeId(client)?.path).toBe("/api");
      expect(peerSpiffeId(other)?.path).toBe("/web");
    }
  });

  it("knows nobody whose certificate TLS has not verified, or who showed none", () => {
    const raw = Buffer.from(makeLeaf(root, webId).der);
    const certificate = { raw } as ReturnType<TLSSocket["getPeerCertificate"]>;
    const none = {} as ReturnType<TLSSocket["getPeerCertificate"]>;
    expect(
      peerOfSocket({ authorized: false, getPeerCertificate: () => certificate as never }),
    ).toBeUndefined();
    expect(peerOfSocket({ authorized: true, getPeerCertificate: () => none as never })).toBeUndefined();
    expect(peerOfSocket({ authorized: true, getPeerCertificate: () => certificate as never })?.id.path).toBe(
      "/web",
    );
  });
});
