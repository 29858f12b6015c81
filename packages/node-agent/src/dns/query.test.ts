import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "@jest/globals";
import { encodeQuery } from "./message.ts";
import { UdpDnsClient } from "./query.ts";

let server: Socket | undefined;

/** A server that answers each query with what `answer` makes of it. */
async function serve(answer: (query: Uint8Array) => readonly Uint8Array[]): Promise<number> {
  const socket = createSocket("udp4");
  server = socket;
  socket.on("message", (query, peer) => {
    for (const bytes of answer(query)) socket.send(bytes, peer.port, peer.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket.address().port;
}

function nxdomain(query: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(query);
  bytes[2] = 0x81;
  bytes[3] = 0x83;
  return bytes;
}

afterEach(() => {
  server?.close();
  server = undefined;
});

describe("UdpDnsClient", () => {
  it("gives the answer of the server", async () => {
    const port = await serve((query) => [nxdomain(query)]);
    const answer = await new UdpDnsClient(port).ask("127.0.0.1", "web.mesh.internal", "A", 5000);
    expect(answer).toMatchObject({ kind: "answer", message: { code: "NXDOMAIN" } });
  });

  it("passes over garbage, other ids and answers to other questions", async () => {
    const port = await serve((query) => {
      const otherId = nxdomain(query);
      otherId[0] = (otherId[0] ?? 0) ^ 0xff;
      const otherQuestion = nxdomain(
        encodeQuery(((query[0] ?? 0) << 8) | (query[1] ?? 0), "x.mesh.internal", "A"),
      );
      const truth = nxdomain(query);
      truth[3] = 0x80;
      return [Uint8Array.of(1, 2, 3), otherId, otherQuestion, truth];
    });
    const answer = await new UdpDnsClient(port).ask("127.0.0.1", "web.mesh.internal", "A", 5000);
    expect(answer).toMatchObject({ kind: "answer", message: { code: "NOERROR" } });
  });

  it("says that a server is silent", async () => {
    const port = await serve(() => []);
    const answer = await new UdpDnsClient(port).ask("127.0.0.1", "web.mesh.internal", "A", 50);
    expect(answer).toEqual({ kind: "silent", why: "127.0.0.1 did not answer within 50 ms" });
  });

  it("notices a closed port long before the deadline", async () => {
    const port = await serve(() => []);
    server?.close();
    server = undefined;
    const began = performance.now();
    const answer = await new UdpDnsClient(port).ask("127.0.0.1", "web.mesh.internal", "A", 15_000);
    expect(answer).toMatchObject({ kind: "silent", why: expect.stringContaining("ECONNREFUSED") });
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
