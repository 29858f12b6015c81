// In: the Exec of a machine. Out: whether its kernel ends a foreign socket when asked (`ss -K`), by trying it on a
// loopback connection of our own: ss exits 0 either way, so the socket itself is asked.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import type { Exec } from "../host/host.ts";

const patienceMs = 1_000;

export async function probeSocketDestroy(exec: Exec): Promise<boolean> {
  const server = createServer((peer) => peer.on("error", () => {}));
  let client: Socket | undefined;
  try {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    client = connect(port, "127.0.0.1");
    await once(client, "connect");
    // heard from the start: ss may fail, or take longer than anybody waits
    const isBroken = once(client, "error", { signal: AbortSignal.timeout(patienceMs) }).then(
      () => true,
      () => false,
    );
    await exec.run("ss", ["-K", "-t", "dst", "127.0.0.1", "dport", "=", `:${port}`]);
    return await isBroken;
  } finally {
    client?.destroy();
    server.close();
  }
}
