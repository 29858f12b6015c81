// In: services and credentials. Out: the three servers, bound: agents (mutual TLS), enrolment (anybody, TLS), control
// (a local socket). Their limits are all here.
import { chmod, chown, readFile, stat, unlink } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { type Server, ServerCredentials, type ServerOptions } from "@grpc/grpc-js";
import { isNotFound } from "@weft/shared/errors/system";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { Doorkeeper, DoorLimits } from "./doorkeeper.ts";

const kib = 1024;
const mib = 1024 * kib;

const common: ServerOptions = {
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.max_metadata_size": 16 * kib,
};

export const agentLimits: ServerOptions = {
  ...common,
  "grpc.max_receive_message_length": mib,
  "grpc.max_concurrent_streams": 32,
  // One that is let in by TLS but by no call has no business staying.
  "grpc.max_connection_idle_ms": 60_000,
};

export const enrolmentLimits: ServerOptions = {
  ...common,
  "grpc.max_receive_message_length": 64 * kib,
  "grpc.max_concurrent_streams": 8,
  "grpc.max_connection_idle_ms": 10_000,
  "grpc.max_connection_age_ms": 60_000,
  "grpc.max_connection_age_grace_ms": 10_000,
};

/** Five thousand agents, each with a second stream while it renews. */
export const agentDoor: DoorLimits = { total: 12_000, perSource: 64, quietMs: 30_000 };

export const enrolmentDoor: DoorLimits = { total: 2_000, perSource: 32, quietMs: 30_000, longestMs: 90_000 };

export const controlLimits: ServerOptions = {
  // A mesh of some thousand nodes; the socket is for the operators' group only.
  "grpc.max_receive_message_length": 16 * mib,
};

function cannotListen(target: string, failure: Error): WeftError {
  return new WeftError("WEFT-E007", `the coordinator cannot listen on ${target}`, {
    why: messageOf(failure),
    hint: "find out who uses the address: `ss -ltnp`",
    cause: failure,
  });
}

export interface Listener {
  readonly port: number;
  /** Calls in progress get a moment; what is left is cut. */
  close(graceMs: number): Promise<void>;
}

/** Listens by itself and hands over to grpc-js only whom the doorkeeper lets in. Port 0 is the kernel's choice. */
export function listenTcp(
  server: Server,
  at: { readonly address: string; readonly port: number },
  credentials: ServerCredentials,
  doorkeeper: Doorkeeper,
): Promise<Listener> {
  const injector = server.createConnectionInjector(credentials);
  // Node's monotonic clock: only differences count.
  const now = () => performance.now();
  const door = createServer({ noDelay: true }, (socket: Socket) => {
    // TLS reports what goes wrong above it; what is refused here has no other listener.
    socket.on("error", () => socket.destroy());
    if (doorkeeper.admit(socket, now())) injector.injectConnection(socket);
  });
  const sweeping = setInterval(() => doorkeeper.sweep(now()), doorkeeper.sweepMs);
  const close = async (graceMs: number) => {
    const closed = new Promise<void>((resolve) => door.close(() => resolve()));
    await shutDown(server, graceMs);
    clearInterval(sweeping);
    doorkeeper.closeAll();
    await closed;
  };
  return new Promise((resolve, reject) => {
    door.once("error", (failure) => {
      clearInterval(sweeping);
      reject(cannotListen(`${at.address}:${at.port}`, failure));
    });
    door.listen({ host: at.address, port: at.port, backlog: 4_096 }, () => {
      const bound = door.address();
      resolve({ port: typeof bound === "object" && bound !== null ? bound.port : at.port, close });
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Clears the socket of a coordinator that died, and refuses to start beside one that lives. */
export async function requireAlone(path: string): Promise<void> {
  try {
    if (!(await stat(path)).isSocket())
      throw new WeftError("WEFT-E002", `${path} is in the way`, { why: "it is no socket" });
  } catch (failure) {
    if (isNotFound(failure)) return;
    throw failure;
  }
  if (await answers(path))
    throw new WeftError("WEFT-E007", "another coordinator runs on this machine", {
      why: `${path} is answered`,
    });
  await unlink(path);
}

async function groupId(name: string): Promise<number | undefined> {
  const line = (await readFile("/etc/group", "utf8"))
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const id = Number(line?.split(":")[2]);
  return Number.isInteger(id) ? id : undefined;
}

/** For the owner and the group weft, whoever runs this. */
export async function bindControl(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      const target = `unix:${path}`;
      server.bindAsync(target, ServerCredentials.createInsecure(), (failure) =>
        failure === null ? resolve() : reject(cannotListen(target, failure)),
      );
    });
  } finally {
    process.umask(before);
  }
  const group = process.getuid?.() === 0 ? await groupId("weft") : undefined;
  if (group !== undefined) await chown(path, 0, group);
  await chmod(path, 0o660);
}

/** Calls in progress get a moment; what is left is cut. */
export function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.forceShutdown(), graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
