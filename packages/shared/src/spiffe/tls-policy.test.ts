import { once } from "node:events";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { afterEach, describe, expect, it } from "@jest/globals";
import { makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import { requireTls13InProcess } from "./tls-policy.ts";

const before = tls.DEFAULT_MIN_VERSION;
afterEach(() => {
  tls.DEFAULT_MIN_VERSION = before;
});

/** The protocol that a client of TLS 1.2 gets from a server made with no word about versions. */
async function agreed(): Promise<string | null> {
  const leaf = makeLeaf(makeRoot(), "spiffe://mesh.internal/api");
  const server = tls.createServer({ cert: leaf.pem, key: leaf.keyPem });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = tls.connect({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
  });
  try {
    await once(socket, "secureConnect");
    return socket.getProtocol();
  } finally {
    socket.destroy();
    server.close();
  }
}

describe("requireTls13InProcess", () => {
  it("holds endpoints that say nothing about versions to TLS 1.3", async () => {
    expect(await agreed()).toBe("TLSv1.2");
    requireTls13InProcess();
    await expect(agreed()).rejects.toThrow(/alert protocol version/);
  });
});
