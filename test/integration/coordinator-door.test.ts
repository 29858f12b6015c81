// The coordinator's TCP ports against clients that finish TLS and then say, read or leave nothing.
import tls from "node:tls";
import { Client, connectivityState, Metadata, Server, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { Doorkeeper } from "../../packages/coordinator/src/server/doorkeeper.ts";
import {
  enrolmentLimits,
  type Listener,
  listenTcp,
} from "../../packages/coordinator/src/server/listeners.ts";
import {
  makeChannelCredentials,
  RotatingServerCredentials,
} from "../../packages/shared/src/spiffe/grpc-credentials.ts";
import { eventually } from "../support/eventually.ts";
import { makeLeaf, makeRoot } from "../support/test-ca.ts";

const id = "spiffe://mesh.test/weft/coordinator";
const root = makeRoot("mesh.test");
let listener: Listener;
let door: Doorkeeper;
let accepted: number;
const clients: tls.TLSSocket[] = [];

beforeEach(async () => {
  const own = makeLeaf(root, id);
  const rotating = new RotatingServerCredentials(false);
  rotating.setIdentity(own.pem, own.keyPem);
  // As on the enrolment port, only faster.
  const server = new Server({ ...enrolmentLimits, "grpc.keepalive_time_ms": 200 });
  door = new Doorkeeper({ total: 100, perSource: 4, quietMs: 1_000 }, () => false);
  listener = await listenTcp(server, { address: "127.0.0.1", port: 0 }, rotating.credentials, door);
  accepted = 0;
});
afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy();
  await listener.close(0);
});

/** Speaks TLS and promises HTTP/2, and never reads, nor ends its half when the server does. */
function silent(): void {
  const options = { host: "127.0.0.1", port: listener.port, ALPNProtocols: ["h2"], allowHalfOpen: true };
  const socket = tls.connect({ ...options, ca: root.pem, checkServerIdentity: () => undefined });
  socket.pause();
  socket.once("secureConnect", () => {
    accepted += 1;
  });
  socket.on("error", () => {});
  clients.push(socket);
}

describe("a port of the coordinator", () => {
  it("drops who never reads, and refuses more than so many of one source", async () => {
    for (let i = 0; i < 6; i++) silent();
    await eventually("four were let in", () => accepted === 4);
    expect(door.open).toBe(4);
    await eventually("all of them are gone", () => door.open === 0);
    silent();
    await eventually("there is room again", () => accepted === 5);
  });

  it("keeps who says nothing but answers its pings", async () => {
    const { credentials, channelOptions } = makeChannelCredentials({ rootsPem: root.pem, expectId: id });
    const client = new Client(`127.0.0.1:${listener.port}`, credentials, channelOptions);
    try {
      await new Promise<void>((resolve, reject) =>
        client.waitForReady(Date.now() + 5_000, (failure) => (failure ? reject(failure) : resolve())),
      );
      silent();
      await eventually("both are there", () => door.open === 2);
      await eventually("the silent one is gone", () => door.open === 1);
      const until = performance.now() + 1_500;
      await eventually("time has passed", () => performance.now() > until);
      expect(door.open).toBe(1);
      expect(client.getChannel().getConnectivityState(false)).toBe(connectivityState.READY);
    } finally {
      client.close();
    }
  });

  it("answers calls", async () => {
    const { credentials, channelOptions } = makeChannelCredentials({ rootsPem: root.pem, expectId: id });
    const client = new Client(`127.0.0.1:${listener.port}`, credentials, channelOptions);
    const bytes = (value: Buffer) => value;
    const failure = await new Promise<{ code?: number } | null>((resolve) =>
      client.makeUnaryRequest("/none/None", bytes, bytes, Buffer.alloc(0), new Metadata(), resolve),
    );
    expect(failure?.code).toBe(status.UNIMPLEMENTED);
    client.close();
  });
});
