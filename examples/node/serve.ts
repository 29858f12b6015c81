// In: settings. Out: an HTTPS service whose certificate comes from the Workload API and is exchanged while it runs;
// it answers the SPIFFE IDs it was told to, and tells each the ID it proved.
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { formatSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { peerOfSocket, rotateServer, serverOptions } from "@weft/shared/spiffe/tls-contexts";
import { watchX509Source, type X509Source } from "@weft/shared/spiffe/x509-source";
import { sentenceOf } from "./sentence.ts";
import { readSettings, type Settings } from "./settings.ts";

type Log = (line: string) => void;

function clientIdOf(socket: TLSSocket): string | undefined {
  const peer = peerOfSocket(socket);
  return peer === undefined ? undefined : formatSpiffeId(peer.id);
}

function createService(source: X509Source, allow: readonly string[], log: Log): Server {
  const server = createServer(serverOptions(source), (request, response) => {
    const client = clientIdOf(request.socket as TLSSocket);
    const allowed = client !== undefined && allow.includes(client);
    const what = `${request.method} ${JSON.stringify(request.url).slice(1, -1)}`;
    log(`${allowed ? "served" : "refused"} ${what} to ${client ?? "a client without identity"}`);
    response.writeHead(allowed ? 200 : 403, { "content-type": "application/json" });
    const from = source.current()?.id;
    response.end(`${JSON.stringify(allowed ? { hello: client, from } : { refused: client, from })}\n`);
  });
  server.on("tlsClientError", (error) => log(`refused a connection: ${error.message}`));
  // Clients that ask once in a while keep their connection.
  server.keepAliveTimeout = 120_000;
  return server;
}

export interface RunningService {
  readonly id: string;
  readonly port: number;
  /** Settles when the service is over: rejects if the Workload API refuses it for good. */
  readonly done: Promise<void>;
}

/** Waits for an identity, then serves until the signal aborts. */
export async function serve(settings: Settings, signal: AbortSignal, log: Log): Promise<RunningService> {
  const { source, ready, done } = watchX509Source(settings.workloadApi, {
    signal,
    onTrouble: (trouble) => log(sentenceOf(trouble)),
  });
  const { id } = await ready;
  const server = createService(source, settings.allow, log);
  rotateServer(server, source);
  source.onChange((identity) =>
    log(identity === undefined ? "identity withdrawn" : `identity renewed: ${identity.id}`),
  );
  // Without a host: all addresses, IPv6 and IPv4, or IPv4 alone where there is no IPv6.
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(settings.port, resolve));
  signal.addEventListener("abort", () => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  log(`${id} serves on port ${port}; allowed: ${settings.allow.join(", ") || "nobody"}`);
  return { id, port, done };
}

/** The main program of a service: runs until it is told to stop. */
export async function serveUntilStopped(environment: NodeJS.ProcessEnv): Promise<number> {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  try {
    const service = await serve(readSettings(environment), stop.signal, (line) =>
      process.stdout.write(`${line}\n`),
    );
    await service.done;
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}
